"""The central loyalty server: one ledger for all stores, from one process on SQLite to a chain.

    cli.py, setup.py     the `tillmate-server` command and what it puts in by hand
    app.py, edge.py      HTTP: routes; bodies, signatures, replies; problems.py says no
    ingest.py            batches of rows: once, in order, with a verdict for each; sales.py books one
    ledger.py            append-only points; members.py who has them; tokens.py what a receipt's QR is bound to
    changes.py           the feed from which tills keep their replica; heartbeat.py, devices.py, programmes.py
    enrolment/           the customer's pages
    storage/             tables, transactions, migrations

Imports only `loyalty` of this project: what a till computes and what the server books is the same code.
"""
