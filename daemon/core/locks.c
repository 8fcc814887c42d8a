#include "daemon/core/locks.h"

