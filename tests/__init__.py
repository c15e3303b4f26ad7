"""Tests of logship; each subject has its folder, real servers come from `tests.rigs`."""
