-- Add many messages by the widest door. Ids are reserved before; the order of the rows is the queue's order.
COPY {table} ({columns}) FROM STDIN
