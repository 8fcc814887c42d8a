#include "lib/base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "lib/base/alloc.h"
#include "lib/base/bytes.h"

/* clang-format off */
static const char *const adjectives[] = {
	"able", "amber", "apt", "astute", "bold", "brave", "brief", "bright", "brisk", "calm",
	"candid", "clear", "clever", "cool", "crisp", "curious", "daring", "deft", "eager", "early",
	"exact", "fair", "fast", "fine", "firm", "fleet", "fond", "frank", "fresh", "gentle",
	"glad", "golden", "grand", "handy", "hardy", "honest", "humble", "ideal", "jolly", "just",
	"keen", "kind", "lively", "loyal", "lucid", "lucky", "major", "mellow", "merry", "modest",
	"neat", "nimble", "noble", "patient", "polite", "precise", "proud", "quick", "quiet", "rapid",
	"ready", "robust", "rustic", "sharp", "smart", "smooth", "snug", "solid", "steady", "sturdy",
	"subtle", "sunny", "swift", "tidy", "tough", "trusty", "upbeat", "valid", "vivid", "warm",
	"wise", "witty", "worthy", "zesty",
};
static const char *const animals[] = {
	"adder", "badger", "bat", "bear", "beaver", "bee", "beetle", "bison", "boar", "buck",
	"camel", "cat", "civet", "cobra", "cod", "colt", "condor", "coral", "crab", "crane",
	"cricket", "crow", "deer", "dingo", "dolphin", "dove", "duck", "eagle", "eel", "egret",
	"elk", "falcon", "ferret", "finch", "fox", "frog", "gecko", "gnu", "goose", "grouse",
	"gull", "hare", "hawk", "heron", "horse", "ibex", "ibis", "jackal", "jay", "kite",
	"koala", "lark", "lemur", "lion", "llama", "lynx", "magpie", "marmot", "marten", "mink",
	"mole", "moose", "moth", "mule", "newt", "otter", "owl", "ox", "panda", "perch",
	"pigeon", "pike", "puma", "quail", "rabbit", "raven", "robin", "salmon", "seal", "shrew",
	"snail", "sparrow", "squid", "stag", "stork", "swan", "swift", "tapir", "tern", "toad",
	"trout", "turtle", "viper", "vole", "walrus", "wasp", "weasel", "whale", "wolf", "wren",
	"yak", "zebra",
};
/* clang-format on */

void random_bytes(void *ret, size_t size)
{
	unsigned char *at = ret;

	while (size) {
		ssize_t n = getrandom(at, size, 0);
		if (n < 0 && errno != EINTR)
			abort();
		if (n <= 0)
			continue;

		at += n;
		size -= (size_t)n;
	}
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

uint64_t random_below(uint64_t n)
{
	assert(n > 0);

	/* Values from the last, incomplete run of 'n' would make the low results likelier. */
	uint64_t limit = UINT64_MAX - UINT64_MAX % n, v;
	do {
		v = random_u64();
	} while (v >= limit);

	return v % n;
}

char *random_hex(size_t n_bytes)
{
	unsigned char *data = xmalloc(n_bytes);

	random_bytes(data, n_bytes);
	char *hex = bytes_to_hex(data, n_bytes);
	free(data);
	return hex;
}

char *random_name(void)
{
	return xasprintf("%s-%s", adjectives[random_below(COUNT_OF(adjectives))],
	                 animals[random_below(COUNT_OF(animals))]);
}

char *random_mac(const char *prefix)
{
	unsigned char tail[3];

	random_bytes(tail, sizeof(tail));
	return xasprintf("%s:%02x:%02x:%02x", prefix, tail[0], tail[1], tail[2]);
}
