"""The local API on 127.0.0.1: for the POS, for the cashier page, for people and monitoring (protocol section 2).

server    one socket, one uvicorn thread                 guard     who may ask, before any route
routes    the calls, each declared once                  pairing   one-time codes and the tokens they buy
schemas   bodies of requests and answers                 events    the hub behind the pages' event streams
screen    cashier page and pairing page                  admin_socket  the way in for `tillmate ...` on this machine
"""
