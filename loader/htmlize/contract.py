"""The contract htmlize 1.0, as include/htmlize/htmlize.h has it.

Written out, so that starting the application needs no parser; tests/test_htmlize_contract.py holds it
against the header.
"""

from loader.contract import Contract, Field, Function, Kind, Parameter, Service, Struct

__all__ = ["HTMLIZE"]
