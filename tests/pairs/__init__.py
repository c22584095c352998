"""Tests of bulkstate/pairs."""
