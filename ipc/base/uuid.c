/* Ids that nobody else makes. */

#include <stddef.h>
#include <stdint.h>
#include <sys/random.h>

#include "ipc/base/uuid.h"

void
uuid_random(char out[UUID_LEN + 1])
{
	static const char	hex[] = "0123456789abcdef";
	uint8_t			b[16];
	size_t			n = 0;

	for (size_t got = 0; got < sizeof(b); ) {
		ssize_t	r = getrandom(b + got, sizeof(b) - got, 0);

		got += r > 0 ? (size_t)r : 0;
	}
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[n++] = '-';
		out[n++] = hex[b[i] >> 4];
		out[n++] = hex[b[i] & 15];
	}
	out[n] = '\0';
}
