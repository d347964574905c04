"""What pytest wants at the top: the fixture to test plugins with."""

pytest_plugins = ["pytester"]
