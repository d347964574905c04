"""The fixture for tests of a dataset."""

from __future__ import annotations

from .project import Project


def test_clean_dataset_is_clean(project: Project) -> None:
    project.write()
    project.pytester.makepyfile(
        """
        import pytest_vft

        def test_data(vft_lint):
            report = vft_lint("train.jsonl")
            assert report.ok
            pytest_vft.assert_clean(report)
        """
    )

    project.run("-W", "error").assert_outcomes(passed=1)


def test_fault_is_told_by_the_assertion(project: Project) -> None:
    project.write(grey=[3])
    project.pytester.makepyfile(
        """
        import pytest_vft

        def test_data(vft_lint):
            pytest_vft.assert_clean(vft_lint("train.jsonl", select=["image"]))
        """
    )

    result = project.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *error image/unsupported-mode [[][*][]]: 1 image*", "E *train.jsonl:3  mode is L*"]
    )


def test_findings_can_be_looked_at(project: Project) -> None:
    project.write("train.jsonl", grey=[3], about="squares")
    project.write("held-out.jsonl", about="squares", examples=1)
    project.pytester.makepyfile(
        """
        def test_data(vft_lint):
            report = vft_lint("train.jsonl", validation=["held-out.jsonl"])
            found = {(finding.rule, finding.path, finding.line) for finding in report.findings}
            assert found == {
                ("image/unsupported-mode", "train.jsonl", 3),
                ("dataset/split-leak", "held-out.jsonl", 1),
            }
        """
    )

    project.run().assert_outcomes(passed=1)


def test_fixture_serves_beside_the_options(project: Project) -> None:
    project.write()
    project.pytester.makepyfile("def test_data(vft_lint): assert vft_lint('train.jsonl').ok")

    project.run("--vft-data=train.jsonl", "--vft-select=file/too-few-examples").assert_outcomes(passed=6)
