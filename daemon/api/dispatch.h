/*
 * From an HTTP exchange to a handler and back.
 *
 * In order: match the route, authenticate, check the Origin of what a browser sends, authorize,
 * find out which member answers and forward if it is another, call the handler, send what it left
 * in the response or the envelope of its error.
 */
#pragma once

#include <stdint.h>

struct http_exchange;
struct state;

/* The handler for lib/net/http_server; 'arg' is the struct state. Runs on a request thread. */
void dispatch_handle(struct http_exchange *exchange, void *arg);
