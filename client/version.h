/* The version that client and help print. */
#pragma once

#define VERSION "0.1.0"
