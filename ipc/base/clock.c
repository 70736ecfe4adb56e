/* Time: what the clock says, and how it is written. */

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "ipc/base/clock.h"

static int64_t
now_ns(clockid_t id)
{
	struct timespec	 ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

mono_t
mono_now(void)
{
	return now_ns(CLOCK_MONOTONIC) / 1000000;
}

uint64_t
mono_us(void)
{
	return (uint64_t)now_ns(CLOCK_MONOTONIC) / 1000;
}

int64_t
wall_ms(void)
{
	return now_ns(CLOCK_REALTIME) / 1000000;
}

int64_t
wall_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

void
buf_rfc3339(struct buf *b, int64_t ns)
{
	time_t		 s = ns / 1000000000;
	int64_t		 frac = ns % 1000000000;
	struct tm	 tm;
	char		 text[40];

	if (frac < 0) {
		frac += 1000000000;
		s--;
	}
	if (gmtime_r(&s, &tm) == NULL)
		tm = (struct tm){ .tm_mday = 1, .tm_year = 70 };
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_adds(b, text);
	if (frac != 0) {
		char digits[12];
		int last = 9;

		for (int i = 8; i >= 0; i--, frac /= 10)
			digits[i] = (char)('0' + frac % 10);
		while (digits[last - 1] == '0')
			last--;
		buf_addc(b, '.');
		buf_add(b, digits, (size_t)last);
	}
	buf_addc(b, 'Z');
}

bool
duration_parse(struct slice s, int64_t *ms_r)
{
	static const struct {
		const char	*unit;
		double		 ms;
	} units[] = {		/* longer names first where one is the start of another */
		{ "ms", 1 }, { "us", 1e-3 }, { "µs", 1e-3 }, { "ns", 1e-6 },
		{ "d", 86400e3 }, { "h", 3600e3 }, { "m", 60e3 }, { "s", 1e3 },
	};
	double	 total = 0;

	if (slice_is(s, "0")) {
		*ms_r = 0;
		return true;
	}
	if (s.n == 0 || s.n > 60)
		return false;
	while (s.n > 0) {
		char number[32];
		size_t n = 0, u;
		char *end;

		while (n < s.n && n < sizeof(number) - 1 && ((s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == '.')) {
			number[n] = s.p[n];
			n++;
		}
		number[n] = '\0';
		if (n == 0 || number[0] == '.')
			return false;
		double v = strtod(number, &end);
		if (*end != '\0')
			return false;
		s.p += n;
		s.n -= n;
		for (u = 0; u < NELEM(units); u++) {
			size_t len = strlen(units[u].unit);

			if (s.n >= len && memcmp(s.p, units[u].unit, len) == 0) {
				total += v * units[u].ms;
				s.p += len;
				s.n -= len;
				break;
			}
		}
		if (u == NELEM(units) || total > 9e15)
			return false;
	}
	*ms_r = (int64_t)total;
	return true;
}

void
buf_duration(struct buf *b, int64_t ms)
{
	static const struct {
		int64_t		 ms;
		const char	*unit;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" } };

	for (size_t i = 0; i < NELEM(units); i++) {
		if (ms < units[i].ms)
			continue;
		buf_printf(b, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
		ms %= units[i].ms;
		if (i + 1 < NELEM(units) && ms >= units[i + 1].ms)
			buf_printf(b, " %lld%s", (long long)(ms / units[i + 1].ms), units[i + 1].unit);
		return;
	}
	buf_printf(b, "%lldms", (long long)ms);
}

uint64_t
random_below(uint64_t below)
{
	uint64_t	 v;

	if (below == 0)
		return 0;
	if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
		v = (uint64_t)now_ns(CLOCK_MONOTONIC);
	return v % below;
}
