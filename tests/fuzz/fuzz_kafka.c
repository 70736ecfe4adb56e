/*
 * Any bytes as the URL of a Kafka topic or an event hub, and as a token.  Whatever is accepted is complete, keeps
 * the promises, and a text of error never quotes what follows the word that marks a secret here.
 */

#include <stdlib.h>

#include "drivers/eventhub/eventhub_url.h"
#include "drivers/kafka/kafka_token.h"
#include "drivers/kafka/kafka_url.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define SECRET	"s3cr3t"

static void
must(bool ok, const char *what)
{
	if (!ok)
		bug("%s", what);
}

static void
promises(const struct props *p)
{
	static const char *const kept[][2] = { { "acks", "all" }, { "message.timeout.ms", "0" } };

	for (size_t i = 0; i < NELEM(kept); i++)
		must(props_get(p, kept[i][0]) != NULL && strcmp(props_get(p, kept[i][0]), kept[i][1]) == 0, "a promise is gone");
	must(strcmp(props_get(p, "enable.idempotence"), "true") == 0 ||
	    strcmp(props_get(p, "max.in.flight.requests.per.connection"), "1") == 0, "order is gone");
	must(props_get(p, "bootstrap.servers") != NULL && props_get(p, "security.protocol") != NULL, "not complete");
}

static void
complaint(const struct err *err)
{
	must(err->text[0] != '\0' && err->code != ERR_NONE, "refused without saying why");
	must(strstr(err->text, SECRET) == NULL, "a secret is in the text of the error");
}

static void
as_kafka(const char *text)
{
	struct kafka_url url;
	struct err	 err = { .code = ERR_NONE };

	if (kafka_url_parse(&url, text, &err) == -1) {
		complaint(&err);
		return;
	}
	must(url.topic[0] != '\0' && strchr(url.topic, '/') == NULL, "a topic that cannot exist");
	promises(&url.props);
	kafka_url_free(&url);
}

static void
as_eventhub(const char *text)
{
	struct eventhub_url url;
	struct err	 err = { .code = ERR_NONE };

	if (eventhub_url_parse(&url, text, &err) == -1) {
		complaint(&err);
		return;
	}
	must(url.host[0] != '\0' && url.hub[0] != '\0' && url.endpoint != NULL, "not complete");
	must(url.signature != NULL || (url.key != NULL && url.key_name != NULL), "nobody can sign");
	must(strncmp(url.connection, "Endpoint=sb://", 14) == 0, "not a connection string");
	if (url.https)
		must(url.props.n == 0, "settings of the other transport");
	else
		promises(&url.props);
	eventhub_url_free(&url);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice	 s = { len == 0 ? "" : (const char *)data, len };
	char		*text = slice_dup(s);
	int64_t		 expires = -1;

	if (text == NULL)
		return 0;
	as_kafka(text);
	as_eventhub(text);
	if (kafka_token_expiry(s, &expires, NULL) == 0)
		must(expires >= 0, "a token that ended before 1970");
	free(text);
	return 0;
}
