"""Tests of the perkstream command."""
