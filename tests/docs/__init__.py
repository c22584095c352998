"""Tests of docs/: what the pages say is so."""
