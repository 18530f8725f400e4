/* Reads payloads behind their lengths (four bytes, little-endian) and prints a line of each: framing and flows, a flow
 * as its bytes and source. */
#include <stdio.h>
#include <stdlib.h>

#include "neckar_flows.h"

static void print(neckar_bytes rest)
{
    neckar_bytes flow;
    size_t index;
    int more;
    const neckar_framing framing = neckar_framing_of(rest);
    printf(framing == NECKAR_BARE ? "bare" : "delimited");
    while ((more = neckar_next_flow(&rest, framing, &flow)) > 0) {
        const neckar_bytes source = neckar_text(flow, NECKAR_SrcAddr);
        printf(" %llu/", (unsigned long long)neckar_number(flow, NECKAR_Bytes));
        for (index = 0; index < source.length; index++) {
            printf("%02x", source.at[index]);
        }
    }
    printf(more < 0 ? " malformed\n" : "\n");
}

int main(void)
{
    unsigned char head[4];
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        neckar_bytes payload;
        unsigned char *room;
        payload.length = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        /* Exactly as long, so that a sanitiser sees who reads beyond. */
        room = (unsigned char *)malloc(payload.length > 0 ? payload.length : 1);
        if (room == NULL || fread(room, 1, payload.length, stdin) != payload.length) {
            return 1;
        }
        payload.at = room;
        print(payload);
        free(room);
    }
    return 0;
}
