"""`python -m nncomplexity`."""

from nncomplexity.cli.main import entry

entry()
