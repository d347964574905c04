"""Tables of commands and options, the source of the command line, the plugin and the documentation.

The plugin imports this module whenever pytest starts, so it imports only typing and collections.abc.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

Kind = Literal["text", "list", "flag", "path", "integer", "count", "choice"]

# Options of pytest are named --vft-NAME, those of evaluations --vft-eval-NAME.
PYTEST, PYTEST_EVAL = "pytest", "pytest eval"

_RULES = ("check", "show", "fix", "rules", "explain", "submit", PYTEST)
_LENGTH = ("check", "show", "fix", "providers", PYTEST)
_CHECK = ("check", PYTEST)
_CLUSTER = ("check", "providers", PYTEST)
_READ = ("check", "fix", "convert", "providers", PYTEST)
_FETCH = ("check", "fix", "convert", "build", "providers", PYTEST)
_FIX = ("fix",)
_BUILD = ("build",)
_CONVERT = ("convert",)
_FOR = ("convert", "build")
_WRITE = ("fix", "convert", "build")
_QUIET = ("check", "fix")
_FAILING = ("check", "fix", PYTEST)
_FILES = ("check", "show", "fix", "convert", "providers", PYTEST)
_SUBMIT = ("submit",)
_EVAL = ("eval", PYTEST_EVAL)
_DECODING = ("check", "fix", "providers", "submit", PYTEST)
_SEVERITIES = ("error", "warning")
_DEPTHS = ("auto", "header", "full")

# The report formats: render_NAME() of the module pytest_vft.report.NAME writes the format NAME.
FORMATS = ("text", "concise", "json", "github", "sarif", "gitlab", "junit", "csv", "markdown", "html")
_STEPS = ("plan", "preflight", "apply")
_IMAGES = ("keep", "files", "embed")
_DETAILS = ("low", "high", "auto")
_LOSSES = ("images", "examples", "weight", "tools", "roles", "refusals", "preferences")
_TEXT_OR_JSON = ("text", "json")
_MATRIX_FORMATS = ("text", "json", "markdown", "html")
EVAL_FORMATS = ("text", "json", "markdown", "github", "junit", "html")


# An empty list of rules is none, so that a variable in a workflow may be empty.
_MAY_BE_EMPTY = ("select", "ignore")


def not_empty(text: str) -> str:
    """Return *text*, the value of an option. Raises ArgumentTypeError for an empty one."""
    if not text.strip():
        from argparse import ArgumentTypeError  # noqa: PLC0415 - for mistakes only

        raise ArgumentTypeError("the value is empty")
    return text


# Options that have another name now: the command, the old name and the new one.
RENAMED = (("eval", "baseline", "against"),)


class Option(NamedTuple):
    """An option of one or several commands.

    A "flag" does not take a value, a "list" may be given several times, and a "count" of 0 means all.
    *default* is the value of an option that was not given, *group* the heading above it in the help.
    The help does not show an option without a text: it is accepted, and has no effect.
    """

    name: str
    metavar: str
    help: str
    commands: tuple[str, ...]
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    default: str | int | None = None
    group: str = ""

    @property
    def values(self) -> str:
        """The metavar, or the choices."""
        return self.metavar or "|".join(self.choices)

    @property
    def pytest_name(self) -> str | None:
        """The name of the option in pytest; None if pytest does not have it."""
        if PYTEST_EVAL in self.commands:
            return f"--vft-eval-{self.name}"
        return f"--vft-{self.name}" if PYTEST in self.commands else None

    @property
    def is_merged(self) -> bool:
        """Whether several values are merged or refused: no gate of an evaluation replaces another one."""
        return self.kind == "text" and (self.commands in (_EVAL, ("eval",)) or self.name == "eval")

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments of argparse's add_argument()."""
        settings: dict[str, Any] = {"help": self.help, "default": self.default}
        if self.kind == "flag":
            return settings | {"action": "store_true"}
        if self.name not in _MAY_BE_EMPTY:
            settings["type"] = not_empty
        if self.kind == "list" or self.is_merged:
            settings["action"] = "append"
        if self.kind in ("integer", "count"):
            settings["type"] = int
        return settings | {"metavar": self.values, "choices": self.choices or None}


class Argument(NamedTuple):
    """A positional argument of a command; with *many*, any number of values, *optional* one or none."""

    name: str
    metavar: str
    help: str
    choices: tuple[str, ...] = ()
    many: bool = False
    optional: bool = False


class Command(NamedTuple):
    """A command of `vft`; *run* is its function as "module:function", imported when the command runs.

    *examples* are command lines in the help, *group* is the heading above the command in `vft --help`.
    """

    name: str
    help: str
    run: str
    arguments: tuple[Argument, ...] = ()
    group: str = "data"
    examples: tuple[str, ...] = ()

    @property
    def options(self) -> list[Option]:
        """The options of this command."""
        return [option for option in OPTIONS if self.name in option.commands]


COMMANDS = (
    Command(
        "build",
        "make training, validation and test files from a table and its images",
        "pytest_vft.cli.build:build",
        (Argument("files", "ROWS", "tables: CSV, JSON Lines, JSON arrays or Parquet, or globs", many=True),),
        examples=(
            "vft build cards.csv --split=80/10/10 --out=data",
            "vft build cards.parquet --question=text --answer=label --to=trl --out=data",
        ),
    ),
    Command(
        "check",
        "check files and report what is wrong",
        "pytest_vft.cli.check:check",
        (
            Argument(
                "files",
                "FILE",
                "JSON Lines, JSON arrays or Parquet, folders, globs or URLs; - is standard input",
                many=True,
            ),
        ),
        examples=(
            "vft check train.jsonl",
            "vft check data/ --provider=together --report=html:report.html",
            "vft check train.jsonl --validation-data=validation.jsonl --format=github",
        ),
    ),
    Command(
        "show",
        "show examples with their findings",
        "pytest_vft.cli.show:show",
        (
            Argument(
                "place",
                "FILE:LINE",
                "a file and a line or lines, as in train.jsonl:12 or train.jsonl:1-50; "
                "a file alone with --select or --sample",
            ),
        ),
        examples=(
            "vft show train.jsonl:12",
            "vft show train.jsonl --select=image/truncated --report=html:truncated.html",
        ),
    ),
    Command(
        "fix",
        "repair what a check finds, or print what would be repaired",
        "pytest_vft.cli.fix:fix",
        (
            Argument(
                "files",
                "FILE",
                "JSON Lines files or JSON arrays, folders, globs, URLs",
                many=True,
            ),
        ),
        examples=(
            "vft fix train.jsonl",
            "vft fix train.jsonl --out=fixed --drop",
        ),
    ),
    Command(
        "convert",
        "write files so that a provider or trainer takes them",
        "pytest_vft.cli.convert:convert",
        (
            Argument(
                "files",
                "FILE",
                "JSON Lines, JSON or Parquet; folders, globs, URLs",
                many=True,
            ),
        ),
        examples=("vft convert train.jsonl --to=together --out=together",),
    ),
    Command(
        "rules",
        "list the rules; test or document rule files",
        "pytest_vft.cli.rules:rules",
        group="reference",
        examples=(
            "vft rules --provider=together",
            "vft rules --test=rules",
        ),
    ),
    Command(
        "explain",
        "explain a rule, a scope or a provider",
        "pytest_vft.cli.rules:explain",
        (Argument("subject", "NAME", "a rule, a scope, a provider, or the path of a rule or provider file"),),
        group="reference",
        examples=(
            "vft explain image/truncated",
            "vft explain image",
            "vft explain together",
        ),
    ),
    Command(
        "schema",
        "print the JSON Schema of a file",
        "pytest_vft.cli.rules:schema",
        (Argument("schema", "NAME", "rule, provider, config or example"),),
        group="reference",
        examples=("vft schema config",),
    ),
    Command(
        "init",
        "print or write a first configuration, a pre-commit hook and a workflow",
        "pytest_vft.cli.init:init",
        group="reference",
        examples=("vft init --provider=together", "vft init --provider=together --write"),
    ),
    Command(
        "providers",
        "compare providers: who takes the files, and why not the others",
        "pytest_vft.cli.providers:providers",
        (
            Argument(
                "files",
                "FILE",
                "JSON Lines, JSON or Parquet; folders, globs, URLs",
                many=True,
            ),
        ),
        examples=(
            "vft providers train.jsonl",
            "vft providers train.jsonl --provider=together,fireworks --format=markdown",
        ),
    ),
    Command(
        "submit",
        "plan, create, follow or cancel a fine-tuning job",
        "pytest_vft.cli.submit:submit",
        (
            Argument(
                "step",
                "plan|preflight|apply|follow|cancel",
                "show the requests; ask the server; create the planned job; follow a job; cancel a job",
                ("plan", "preflight", "apply", "follow", "cancel"),
            ),
            Argument("target", "FILE|JOB", "the training file; for follow and cancel, the id of the job"),
        ),
        group="models",
        examples=(
            "vft submit plan train.jsonl --provider=openai",
            "vft submit follow ftjob-123",
        ),
    ),
    Command(
        "eval",
        "judge the predictions of a model",
        "pytest_vft.cli.evaluate:evaluate",
        (
            Argument(
                "predictions", "FILE", "predictions: JSON Lines, a JSON array, CSV or TSV", optional=True
            ),
        ),
        group="models",
        examples=("vft eval answers.jsonl --test=test.jsonl --min-accuracy=0.9",),
    ),
)

# A text is the heading of the options below it.
_TABLE: tuple[str | Option, ...] = (
    "rules and limits",
    Option(
        "config",
        "FILE",
        "configuration (default: the nearest one of each file)",
        (*_RULES, "convert", "build", "providers"),
        "path",
    ),
    Option(
        "provider",
        "NAME",
        "provider whose limits apply, or several (default: that of the data format)",
        _RULES,
    ),
    Option("model", "NAME", "model to train", (*_RULES, "providers")),
    Option("max-tokens", "N", "maximum tokens of an example (0: no maximum)", _LENGTH, "count"),
    Option("select", "RULES", "run only these rules: ids, scopes or globs, comma-separated", _RULES, "list"),
    Option("extend-select", "RULES", "also run these rules, even rules that are off", _RULES, "list"),
    Option("ignore", "RULES", "skip these rules", _RULES, "list"),
    "data",
    Option("data", "PATH", "training data: a JSONL file, or a folder or glob", _READ, "list"),
    Option("validation-data", "PATH", "validation data", _READ, "list"),
    Option("test-data", "PATH", "test data, where answers are optional", _READ, "list"),
    Option("data-format", "NAME", "data format (default: that of the first examples)", (*_FILES, "eval")),
    Option(
        "image-root",
        "DIR",
        "folder of local images, besides that of each file",
        (*_FILES, "build", "eval"),
        "list",
    ),
    Option("since", "REF", "check only files that changed since this git revision", ("check",)),
    Option("only", "", "collect only datasets, and of these only those in the arguments", (PYTEST,), "flag"),
    "what fails",
    Option("fail-on", "", "lowest severity that fails (default: error)", _FAILING, "choice", _SEVERITIES),
    Option(
        "baseline", "FILE", "let known findings, those in this file, pass; fail for new ones", _CHECK, "path"
    ),
    Option(
        "write-baseline",
        "",
        "write the current findings to the file of the baseline (default: vft-baseline.json)",
        _CHECK,
        "flag",
    ),
    Option("require-checked", "", "also fail if something could not be checked", _CHECK, "flag"),
    "images, URLs and speed",
    Option("depth", "", "how much of an image to decode (default: auto)", _DECODING, "choice", _DEPTHS),
    Option("offline", "", "do not fetch URLs (also: VFT_OFFLINE=1)", _FETCH, "flag"),
    Option("allow-private", "", "also fetch from private addresses", _FETCH, "flag"),
    Option("proxy", "env", "fetch through HTTP_PROXY and HTTPS_PROXY", _FETCH),
    Option("url-budget", "SECONDS", "time for all URLs (0: unlimited; default: 1800)", _FETCH, "count"),
    Option(
        "sample",
        "N",
        "check a sample: at most N examples of each file (0: all)",
        ("check", "providers", PYTEST),
        "count",
    ),
    Option("no-cache", "", "do not read or write .vft_cache", _FETCH, "flag"),
    Option("jobs", "N", "maximum number of processes (default: number of CPUs)", _FETCH, "integer"),
    Option(
        "cluster",
        "dask://HOST:PORT",
        "check on this Dask cluster; `dask` reads the address from DASK_SCHEDULER_ADDRESS",
        _CLUSTER,
    ),
    "output",
    Option("format", "", "report format on stdout (default: text)", ("check",), "choice", FORMATS, "text"),
    Option("report", "FORMAT:FILE", f"also write a report: {', '.join(FORMATS)}", _CHECK, "list"),
    Option("max-shown", "N", "findings shown per rule (0: all; default: 10)", _CHECK, "count", default=10),
    Option("no-images", "", "leave images out of an html report", (*_CHECK, "show", "eval"), "flag"),
    Option(
        "good-examples",
        "N",
        "examples without findings in an html report, from each file (default: 0)",
        _CHECK,
        "count",
        default=0,
    ),
    Option("max-findings", "N", "findings kept per rule and file (0: all; default: 1000)", _CHECK, "count"),
    Option("statistics", "", "print a count per rule instead of findings", ("check",), "flag"),
    Option("quiet", "", "print only findings and the verdict; nothing if the run passes", _QUIET, "flag"),
    Option("exit-zero", "", "exit with 0 even if findings fail the run", ("check",), "flag"),
    Option("base-url", "URL", "", ("check",)),
    "columns",
    Option(
        "question",
        "COLUMN",
        "questions: a column, a dotted path or a template (default: a column with a usual name)",
        _BUILD,
    ),
    Option("answer", "COLUMN", "answers, likewise", _BUILD),
    Option("image", "COLUMN", "images, likewise: paths, URLs or bytes, one or a list", _BUILD),
    Option("id", "COLUMN", "ids of the questions in the test split, likewise", _BUILD),
    "splits",
    Option(
        "split",
        "SHARES",
        "shares of train, validation and test: 80/10/10, 90/10, 150/50/100 (default: all train)",
        _BUILD,
    ),
    Option("by", "COLUMN", "keep rows with the same value in one split, as rows with the same image", _BUILD),
    Option("near", "", "keep images that look alike in one split", _BUILD, "flag"),
    Option("stratify", "COLUMN", "give each split the same share of each value; implies --exact", _BUILD),
    Option(
        "exact",
        "",
        "meet the shares as nearly as groups allow; adding rows can then move others",
        _BUILD,
        "flag",
    ),
    Option("seed", "N", "draw other splits (default: 0)", _BUILD, "count"),
    "examples",
    Option(
        "few-shot", "N", "move N examples out of train, and show them before each question", _BUILD, "count"
    ),
    Option("system", "TEXT", "system message; @FILE: the text in a file", _BUILD),
    Option("detail", "", "detail of the images", _BUILD, "choice", _DETAILS),
    Option("quality", "N", "save images as JPEG of this quality (default: as they are)", _BUILD, "count"),
    "writing",
    Option("to", "NAME", "provider or data format to write for (build: openai by default)", _FOR),
    Option("out", "DIR", "folder, or URL in object storage, to write into", _WRITE, "path"),
    Option(
        "images",
        "",
        "keep images as they are, write files, or embed (default: the first that the provider takes)",
        _FOR,
        "choice",
        _IMAGES,
    ),
    Option("image-prefix", "URL", "start of the names of image files, as in s3://BUCKET/FOLDER/", _FOR),
    Option("bucket-owner", "ID", "account that owns the bucket of the images", _FOR),
    Option("allow-loss", "KINDS", f"losses to allow: {', '.join(_LOSSES)}", _CONVERT, "list"),
    Option("drop", "", "set examples that cannot be used aside, in FILE.rej", _WRITE, "flag"),
    Option("max-dropped", "N", "maximum number of examples that --drop sets aside", _WRITE, "count"),
    Option("force", "", "replace files that exist", _WRITE, "flag"),
    "repairs",
    Option("in-place", "", "replace the files; new images are written beside them", _FIX, "flag"),
    Option("diff", "", "print each change; images are described in words", _FIX, "flag"),
    Option("unsafe", "", "also make repairs that change what is trained on", _FIX, "flag"),
    "choosing and saving",
    Option("sample", "N", "show this number of examples, drawn at random", ("show",), "count"),
    Option("report", "html:FILE", "write the examples as a page: a file, or a folder", ("show",), "list"),
    Option("save", "DIR", "write the images of the example to this folder", ("show",), "path"),
    Option("test", "PATH", "run the cases and mutants of a rule file or folder", ("rules",), "path"),
    Option("write-pages", "DIR", "write a page per rule and a page of all facts", ("rules",), "path"),
    "project",
    Option("provider", "NAME", "provider to train with (default: that of the data format)", ("init",)),
    Option("write", "", "write what is missing; existing files are kept", ("init",), "flag"),
    "comparison",
    Option("provider", "NAMES", "compare only these providers: names or files", ("providers",), "list"),
    Option("with-loader", "", "also run the providers' own readers, if installed", ("providers",), "flag"),
    Option("format", "", "output format (default: text)", ("providers",), "choice", _MATRIX_FORMATS, "text"),
    Option("max-shown", "N", "reasons per provider (0: all; default: 5)", ("providers",), "count", default=5),
    "job",
    Option("submit", "", "plan a fine-tuning job, ask the server, or create it", (PYTEST,), "choice", _STEPS),
    Option("validation-data", "PATH", "validation file", _SUBMIT, "list"),
    Option("suffix", "TEXT", "part of the name of the new model", _SUBMIT),
    Option("seed", "N", "seed of the training", _SUBMIT, "count"),
    Option("epochs", "N", "number of epochs (default: chosen by the server)", _SUBMIT, "count"),
    Option("base-url", "URL", "server (default: that of the provider)", _SUBMIT),
    Option("base-url", "URL", "server of --vft-submit and --vft-eval (default: the provider's)", (PYTEST,)),
    Option("plan", "FILE", "file of the plan (default: next to the training file)", _SUBMIT, "path"),
    Option("yes", "", "apply without asking", _SUBMIT, "flag"),
    Option(
        "yes", "", "let --vft-submit=apply send data and create jobs, which cost money", (PYTEST,), "flag"
    ),
    Option("timeout", "SECONDS", "maximum time to wait for the server", _SUBMIT, "count"),
    Option("format", "", "output format on stdout (default: text)", _SUBMIT, "choice", _TEXT_OR_JSON, "text"),
    "evaluation",
    Option("eval", "FILE", "judge these predictions", (PYTEST,)),
    Option("test", "FILE", "test split with the questions of the predictions", _EVAL),
    Option("min-accuracy", "N", "minimum accuracy: 0.9, or closed=0.9,open=0.6", _EVAL),
    Option("against", "FILE", "predictions of another model: fail if these are worse", _EVAL),
    Option("margin", "N", "tolerated drop in accuracy against the other model (default: 0)", _EVAL),
    Option("alpha", "N", "significance level of McNemar's test (default: 0.05)", _EVAL),
    Option("confidence", "N", "require the lower confidence bound to reach the minimum, e.g. 0.95", _EVAL),
    Option("metric", "NAME", "exact, normalised_exact, token_f1 or judge (default: by kind)", _EVAL),
    Option("normalise", "NAME", "none, text, typography, markdown or squad (default: text)", _EVAL),
    Option("min-f1", "N", "token F1 at which an answer is correct (default: 0.5)", _EVAL),
    Option("choices", "LIST", "actual answers of closed questions, besides Yes and No", _EVAL),
    Option("by", "KEYS", "also require the minimum in each group of each of these keys", _EVAL),
    Option("min-n", "N", "number of answers at which a group counts (default: 20)", _EVAL),
    Option("ids", "IDS", "judge only these questions; @FILE: the ids in a file", _EVAL),
    Option("keys", "PAIRS", "keys of the predictions: id=KEY,predicted=KEY,actual=KEY", _EVAL),
    Option("field", "NAME", "field of JSON answers to compare", _EVAL),
    Option("id-pattern", "REGEX", r"pattern of the id in a question (default: \[(\d+)\])", _EVAL),
    "judge",
    Option("judge", "MODEL", "model that rates open answers (network)", _EVAL),
    Option("judge-url", "URL", "server of the judge (default: server of the model)", _EVAL),
    Option("judge-images", "", "also send the images to the judge", _EVAL, "flag"),
    Option("judge-itself", "", "allow a judge to rate its own answers", _EVAL, "flag"),
    Option("judge-labels", "FILE", "ratings by people, with which the judge is compared", _EVAL),
    Option("passing", "RATINGS", "ratings that pass (default: Very Similar,Mostly Similar)", _EVAL),
    Option("max-ungraded", "N", "tolerated share of ungraded answers (default: 0.01)", _EVAL),
    Option("retry-ungraded", "", "ask the judge again about ungraded answers of earlier runs", _EVAL, "flag"),
    "model",
    Option("write-batch", "FILE", "write the questions as input of OpenAI's Batch API", ("eval",)),
    Option("model", "MODEL", "model of the requests that --write-batch writes", ("eval",)),
    Option("live", "MODEL", "model to ask first; FILE stores its answers (network)", _EVAL),
    Option("repeat", "N", "number of times that each question is asked (default: 1)", _EVAL),
    Option("base-url", "URL", "server of the model (default: OPENAI_BASE_URL, else OpenAI)", ("eval",)),
    Option("provider", "NAME", "provider of model and judge: openai (default), azure or another", _EVAL),
    Option("concurrency", "N", "number of concurrent requests (default: 8)", _EVAL),
    Option("timeout", "SECONDS", "timeout of a request (default: 60)", _EVAL),
    Option("retries", "N", "retries of a request (default: 5)", _EVAL),
    Option("max-requests", "N", "maximum number of requests in a run, to model and judge together", _EVAL),
    Option("max-rate", "N", "maximum number of requests per minute, to each of them", _EVAL),
    Option("max-cost", "USD", "maximum cost of one run in US dollars, at the given prices", _EVAL),
    Option("prices", "IN,OUT", "US dollars per million tokens of prompts and of answers", _EVAL),
    Option("judge-prices", "IN,OUT", "prices of the judge", _EVAL),
    Option("fresh", "", "repeat requests of earlier runs", ("eval",), "flag"),
    "output",
    Option(
        "format", "", "output format on stdout (default: text)", ("eval",), "choice", EVAL_FORMATS, "text"
    ),
    Option(
        "report",
        "FORMAT:FILE",
        f"also write the verdicts to a file: {', '.join(EVAL_FORMATS)}",
        _EVAL,
        "list",
    ),
    Option("max-shown", "N", "wrong answers shown (0: all; default: 10)", ("eval",), "count", default=10),
)


def _grouped(table: tuple[str | Option, ...]) -> Iterator[Option]:
    """Yield the options of *table*, each with the heading above it."""
    group = ""
    for row in table:
        if isinstance(row, str):
            group = row
        else:
            yield row._replace(group=group)


OPTIONS = tuple(_grouped(_TABLE))
