/*
 * Tells systemd how far the daemon is, as sd_notify(3) describes it: a datagram to NOTIFY_SOCKET.
 *
 * Twenty lines, where libsystemd and what it loads would cost the daemon 0.7 MiB.
 */
#pragma once

/* Does nothing if nobody asked. 'state' as "READY=1". */
void service_manager_tell(const char *state);
