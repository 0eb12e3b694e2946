"""The history of the tables: one module a change, applied in order by `Store.open`."""
