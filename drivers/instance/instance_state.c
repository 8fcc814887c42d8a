#include "drivers/instance/instance_state.h"

#include <stdlib.h>

void instance_state_done(struct instance_state *state)
{
	for (size_t i = 0; i < state->n_interfaces; i++)
		free(state->interfaces[i].addresses);
	free(state->interfaces);
	state->interfaces = NULL;
	state->n_interfaces = 0;
}
