#include "daemon/main_version.h"

#include <stdio.h>

int main_version_run(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("%s\n", MUSTER_VERSION);
	return 0;
}
