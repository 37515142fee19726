"""The embedded store: a whole shop on one machine, made of the real programs.

`store` starts `tillmate-server run`, `tillmate simulate printer`, `tillmate simulate scanner` and `tillmate run` as
processes of their own and joins agent and server by a network cable that one may pull out (`cable`). `pos` is the cash
register and `customer` the phone in the customer's hand; both speak only the public protocols. `story` plays the whole
story and checks each step; `counter` and `web` show the store as one page in the browser; `books` tells whether the
server's ledger agrees with what the till was promised.
"""
