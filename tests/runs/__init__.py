"""Tests of bulkstate/runs."""
