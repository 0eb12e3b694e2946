"""How gunicorn serves this platform; it reads this file by itself."""

from __future__ import annotations

workers = 1  # one process holds the account and its broker connection
threads = 4  # health checks answer while a slot runs
timeout = 600  # above the longest run: a worker must not be killed between two orders
graceful_timeout = 600  # a deployment lets the running slot end
control_socket_disable = True  # the services of one machine would share its path
