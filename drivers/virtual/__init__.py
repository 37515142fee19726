"""Virtual devices: real peers on TCP and pty, each a process of its own, with faults through a control port."""
