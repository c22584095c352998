"""Tests of bulkstate/policy/auto."""
