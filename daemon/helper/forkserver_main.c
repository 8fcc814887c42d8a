/*
 * The fork server as a program of its own, which is embedded in musterd (embed.py).
 *
 * All that a running container costs us is a fork of this process, and each start and command is
 * one: so it loads liblxc and what that needs, and none of the other libraries of the daemon.
 */
#include <sys/stat.h>

#include "daemon/helper/helper_forkserver.h"

int main(void)
{
	umask(022);
	return helper_forkserver_run();
}
