"""What people who look after the programme ask, by their own tokens and on a port of its own.

operators.py     who may ask
audit_log.py     what is written down of each call
messages.py      the messages
api.py           who asks is recognised, the call answered and written down; the routes
chain.py         stores and devices
programmes.py    programme revisions
flags.py         what people should look at, and that somebody has
reports.py       sums by store and day, and over all members
members.py       one member as people see him
cards.py         a lost card, and the one that takes its place
corrections.py   points that a person gives or takes
erasure.py       a member who wants to be forgotten
commands.py      the same on the command line
"""
