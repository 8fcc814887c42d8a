/*
 * A member of a cluster without a daemon around it: a process that serves cluster/'s internal
 * routes over TLS and obeys commands on its standard input, for sim_cluster.c.
 *
 * A command is a line of words; the answer is a line "ok TEXT" or "error STATUS TEXT".
 *
 *	bootstrap NAME            join NAME TOKEN          token NAME
 *	leader                    members                  name
 *	write KEY VALUE           read KEY                 handover
 *	remove NAME [force]       rename NAME NEW          event TEXT
 *	events                    stop                     reload
 *	certificate               fingerprint
 *	break crash|fail (what its next join does when it is about to be complete)
 */
#pragma once

/* Runs until "stop" or the end of the input; the exit status. */
int cluster_member_main(const char *dir, const char *address);

/* Makes the stopped member of 'dir' the only one; prints "ok" and how many there were. */
int cluster_member_recover(const char *dir);
