"""What people see in a terminal or a log: progress, plain lines, problems, the closing summary.

Every module here turns events, a `Tally` or finished values into text. Deciding what to show where (a terminal
or not, text or JSON) is the app's business; exit codes are the cli's.
"""
