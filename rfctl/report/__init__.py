"""The report: one PDF from one record, for the person who signs it and the one who checks it."""
