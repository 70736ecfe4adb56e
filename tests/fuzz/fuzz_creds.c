/* Any bytes as a NATS credential: refused with a reason that does not quote them, or complete. */

#include <stdlib.h>

#include "supervisor/upstream/creds.h"
#include "supervisor/upstream/nkey.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok, const char *what)
{
	if (!ok)
		bug("%s", what);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice	 text = { len == 0 ? "" : (const char *)data, len };
	struct creds	 c;
	struct err	 err = { .code = ERR_NONE };
	uint8_t		 key[NKEY_BYTES];

	if (creds_parse(&c, text, &err) == 0) {
		must(c.jwt != NULL && c.server_id[0] != '\0' && c.session_id != NULL, "accepted, but incomplete");
		must(c.company_ids[0] != NULL, "accepted without a company");
		creds_free(&c);
	} else {
		must(err.text[0] != '\0' && err.code != ERR_NONE, "refused without a reason");
		must(c.jwt == NULL && c.seed == NULL && c.company_ids == NULL, "refused, but something is left");
	}
	must(creds_company_of(text).n <= len && creds_session_of(text).n <= len, "more than there was");
	(void)!nkey_public(text, NKEY_USER, key);
	(void)!nkey_seed(text, NKEY_USER, key);
	return 0;
}
