"""Reports: one self-contained HTML file for a run, one for a sweep."""
