#include "client/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static int raw_fd = -1;

void terminal_restore(void)
{
	if (raw_fd >= 0)
		tcsetattr(raw_fd, TCSADRAIN, &saved);
	raw_fd = -1;
}

int terminal_make_raw(int fd)
{
	static bool registered;
	struct termios raw;

	if (tcgetattr(fd, &saved) < 0)
		return -errno;
	if (!registered)
		atexit(terminal_restore);
	registered = true;
	raw = saved;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
		return -errno;
	raw_fd = fd;
	return 0;
}

bool terminal_size(int fd, unsigned *ret_columns, unsigned *ret_rows)
{
	struct winsize w;

	if (ioctl(fd, TIOCGWINSZ, &w) < 0 || !w.ws_col)
		return false;
	*ret_columns = w.ws_col;
	*ret_rows = w.ws_row;
	return true;
}
