#include "drivers/instance/ct/ct_cpu.h"

#include <errno.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"

bool ct_cpu_set_has(const struct ct_cpu_set *set, unsigned cpu)
{
	return cpu < CT_CPU_MAX && (set->bits[cpu / 64] >> (cpu % 64) & 1);
}

void ct_cpu_set_add(struct ct_cpu_set *set, unsigned cpu)
{
	assert(cpu < CT_CPU_MAX);
	set->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

unsigned ct_cpu_set_count(const struct ct_cpu_set *set)
{
	unsigned n = 0;

	for (size_t i = 0; i < COUNT_OF(set->bits); i++)
		n += (unsigned)__builtin_popcountll(set->bits[i]);
	return n;
}

int ct_cpu_set_parse(const char *text, struct ct_cpu_set *ret_set)
{
	bool cpus[CT_CPU_MAX] = { false };
	struct ct_cpu_set set = { { 0 } };

	int r = *text ? parse_cpu_set(text, cpus, CT_CPU_MAX) : 0;
	if (r < 0)
		return r;
	for (unsigned cpu = 0; cpu < CT_CPU_MAX; cpu++) {
		if (cpus[cpu])
			ct_cpu_set_add(&set, cpu);
	}
	*ret_set = set;
	return 0;
}

char *ct_cpu_set_format(const struct ct_cpu_set *set)
{
	struct strbuf text = { 0 };

	for (unsigned cpu = 0; cpu < CT_CPU_MAX; cpu++) {
		unsigned last = cpu;

		if (!ct_cpu_set_has(set, cpu))
			continue;
		while (ct_cpu_set_has(set, last + 1))
			last++;
		strbuf_addf(&text, last > cpu ? "%s%u-%u" : "%s%u", text.size ? "," : "", cpu,
		            last);
		cpu = last;
	}

	return strbuf_take(&text);
}

int ct_cpu_wish_parse(const char *value, struct ct_cpu_wish *ret_wish, struct error **err)
{
	struct ct_cpu_wish wish = { .count = 0 };
	uint32_t count;

	if (str_is_empty(value)) {
		*ret_wish = wish;
		return 0;
	}

	if (parse_uint32(value, &count) == 0) {
		if (count == 0 || count > CT_CPU_MAX)
			return error_set(err, 400, "Invalid value for \"limits.cpu\": \"%s\"",
			                 value);
		wish.count = count;
	} else if (ct_cpu_set_parse(value, &wish.pin) < 0) {
		return error_set(err, 400, "Invalid value for \"limits.cpu\": \"%s\"", value);
	}

	*ret_wish = wish;
	return 0;
}

/* How many wishes each CPU carries already. */
struct load {
	unsigned n[CT_CPU_MAX];
};

static void take(struct load *load, const struct ct_cpu_set *set)
{
	for (unsigned cpu = 0; cpu < CT_CPU_MAX; cpu++)
		load->n[cpu] += ct_cpu_set_has(set, cpu);
}

/* The 'count' least loaded usable CPUs; of equals those in 'before', then the first ones. */
static void pick(const struct ct_cpu_set *usable, unsigned count, const struct load *load,
                 struct ct_cpu_set *set)
{
	struct ct_cpu_set before = *set;
	*set = (struct ct_cpu_set){ { 0 } };

	for (; count > 0; count--) {
		int best = -1;
		for (unsigned cpu = 0; cpu < CT_CPU_MAX; cpu++) {
			if (!ct_cpu_set_has(usable, cpu) || ct_cpu_set_has(set, cpu))
				continue;
			if (best < 0 || load->n[cpu] < load->n[best] ||
			    (load->n[cpu] == load->n[best] && ct_cpu_set_has(&before, cpu) &&
			     !ct_cpu_set_has(&before, (unsigned)best)))
				best = (int)cpu;
		}
		if (best < 0)
			return;
		ct_cpu_set_add(set, (unsigned)best);
	}
}

void ct_cpu_balance(const struct ct_cpu_set *usable, const struct ct_cpu_wish *wishes, size_t n,
                    struct ct_cpu_set *sets)
{
	scoped_free struct load *load = xcalloc(1, sizeof(*load));

	for (size_t i = 0; i < n; i++) {
		if (wishes[i].count > 0)
			continue;
		struct ct_cpu_set set = { { 0 } };
		for (size_t k = 0; k < COUNT_OF(set.bits); k++)
			set.bits[k] = wishes[i].pin.bits[k] & usable->bits[k];
		bool is_pinned = ct_cpu_set_count(&set) > 0;
		sets[i] = is_pinned ? set : *usable;
		if (is_pinned)
			take(load, &set);
	}

	for (size_t i = 0; i < n; i++) {
		if (wishes[i].count == 0)
			continue;
		pick(usable, wishes[i].count, load, &sets[i]);
		take(load, &sets[i]);
	}
}
