"""Skill or luck: how likely the best of many trials is only the luckiest."""
