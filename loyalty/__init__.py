"""The pure core that till and server share: programme, quote, ledger rules, codes and messages.

Nothing in here opens a socket, starts a thread, reads a clock or a database; times, keys and random ids come in as
parameters. That is what makes the number printed offline the number that the server books.
"""
