/* Shared access signatures. */

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "drivers/eventhub/eventhub_sas.h"
#include "ipc/base/url.h"

/* The service compares the text as it is sent, so what is signed and what is sent must be the same bytes. */
int
eventhub_sas(struct buf *b, struct slice resource, const char *key_name, const char *key, int64_t expires, struct err *err)
{
	struct buf	 text = { 0 }, signature = { 0 };
	unsigned char	 mac[EVP_MAX_MD_SIZE];
	unsigned	 n = 0;
	int		 rc = -1;

	buf_printf(&text, SLICE_FMT "\n%" PRId64, SLICE_ARG(resource), expires);
	if (HMAC(EVP_sha256(), key, (int)strlen(key), text.data, text.len, mac, &n) == NULL) {
		(void)err_set(err, ERR_NOMEM, "OpenSSL cannot sign a token");
		goto out;
	}
	buf_base64(&signature, mac, n);
	buf_printf(b, "SharedAccessSignature sr=" SLICE_FMT "&sig=", SLICE_ARG(resource));
	url_escape_segment(b, buf_slice(&signature));
	buf_printf(b, "&se=%" PRId64 "&skn=", expires);
	url_escape_segment(b, slice_of(key_name));
	if (text.oom || signature.oom || b->oom)
		(void)err_set(err, ERR_NOMEM, "no memory for a token");
	else
		rc = 0;
out:
	buf_free(&text);
	buf_free(&signature);
	return rc;
}
