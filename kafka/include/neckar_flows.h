/*
 * Flows in Kafka, for C (from C99 on) and C++ (from C++11 on): what a consumer needs behind its Kafka library.
 * A header and nothing to link; allocates nothing, and points into the message that it reads.
 *
 * A message's payload holds one flow or several (kafka.framing), a flow is a message of proto/flow.proto:
 *
 *     neckar_bytes rest = {payload, length}, flow;
 *     neckar_framing framing = neckar_framing_of(rest);
 *     while (neckar_next_flow(&rest, framing, &flow) > 0)
 *         sum += neckar_number(flow, NECKAR_Bytes);
 *
 * kafka/examples/consumer.c is a whole program. Any bytes may be given: what is no flow answers -1.
 */
#ifndef NECKAR_FLOWS_H
#define NECKAR_FLOWS_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of somebody else's. */
typedef struct neckar_bytes {
    const unsigned char *at;
    size_t length;
} neckar_bytes;

/* How flows lie in a payload. */
typedef enum neckar_framing {
    /* One flow and nothing else: `bare`. */
    NECKAR_BARE,
    /* One flow or several, each behind its length: `delimited` and `packed`. */
    NECKAR_DELIMITED
} neckar_framing;

/* A field of a flow as it stands there. */
typedef struct neckar_field {
    /* An enum neckar_field_number, or one that a later version has. */
    uint32_t number;
    /* Is it in `bytes` (addresses, in network order, and texts in UTF-8) or in `value`? */
    int is_bytes;
    uint64_t value;
    neckar_bytes bytes;
} neckar_field;

/* Numbers of the fields, by their names in proto/flow.proto. */
enum neckar_field_number {
/* Made from the table of fields: UPDATE=1 cargo test --release --workspace --test brokers -- header:: */
    NECKAR_Type = 1,
    NECKAR_SamplingRate = 3,
    NECKAR_SequenceNum = 4,
    NECKAR_SrcAddr = 6,
    NECKAR_DstAddr = 7,
    NECKAR_Bytes = 9,
    NECKAR_Packets = 10,
    NECKAR_SamplerAddress = 11,
    NECKAR_NextHop = 12,
    NECKAR_NextHopAS = 13,
    NECKAR_SrcAS = 14,
    NECKAR_DstAS = 15,
    NECKAR_SrcNet = 16,
    NECKAR_DstNet = 17,
    NECKAR_InIf = 18,
    NECKAR_OutIf = 19,
    NECKAR_Proto = 20,
    NECKAR_SrcPort = 21,
    NECKAR_DstPort = 22,
    NECKAR_IPTos = 23,
    NECKAR_ForwardingStatus = 24,
    NECKAR_IPTTL = 25,
    NECKAR_TCPFlags = 26,
    NECKAR_SrcMac = 27,
    NECKAR_DstMac = 28,
    NECKAR_VlanId = 29,
    NECKAR_Etype = 30,
    NECKAR_IcmpType = 31,
    NECKAR_IcmpCode = 32,
    NECKAR_SrcVlan = 33,
    NECKAR_DstVlan = 34,
    NECKAR_FragmentId = 35,
    NECKAR_FragmentOffset = 36,
    NECKAR_IPv6FlowLabel = 37,
    NECKAR_IngressVrfID = 39,
    NECKAR_EgressVrfID = 40,
    NECKAR_BiFlowDirection = 41,
    NECKAR_FlowDirection = 42,
    NECKAR_HasMPLS = 53,
    NECKAR_MPLSCount = 54,
    NECKAR_MPLS1TTL = 55,
    NECKAR_MPLS1Label = 56,
    NECKAR_MPLS2TTL = 57,
    NECKAR_MPLS2Label = 58,
    NECKAR_MPLS3TTL = 59,
    NECKAR_MPLS3Label = 60,
    NECKAR_MPLSLastTTL = 61,
    NECKAR_MPLSLastLabel = 62,
    NECKAR_ObservationDomainID = 70,
    NECKAR_ObservationPointID = 71,
    NECKAR_BgpNextHop = 100,
    NECKAR_TimeReceived = 2,
    NECKAR_TimeReceivedNs = 110,
    NECKAR_TimeFlowStart = 38,
    NECKAR_TimeFlowStartNs = 111,
    NECKAR_TimeFlowEnd = 5,
    NECKAR_TimeFlowEndNs = 112,
    NECKAR_Cid = 1000,
    NECKAR_CidString = 1001,
    NECKAR_Normalized = 1002,
    NECKAR_SrcIfName = 1003,
    NECKAR_SrcIfDesc = 1004,
    NECKAR_SrcIfSpeed = 1005,
    NECKAR_DstIfName = 1006,
    NECKAR_DstIfDesc = 1007,
    NECKAR_DstIfSpeed = 1008,
    NECKAR_ProtoName = 1009,
    NECKAR_RemoteCountry = 1010,
    NECKAR_RemoteAddr = 1011,
    NECKAR_SrcCid = 1012,
    NECKAR_DstCid = 1013,
    NECKAR_SrcCountry = 1014,
    NECKAR_DstCountry = 1015,
    NECKAR_Note = 1016,
    NECKAR_PacketBytesMin = 1100,
    NECKAR_PacketBytesMax = 1101,
    NECKAR_PacketBytesMean = 1102,
    NECKAR_PacketBytesStdDev = 1103,
    NECKAR_PacketIATMin = 1110,
    NECKAR_PacketIATMax = 1111,
    NECKAR_PacketIATMean = 1112,
    NECKAR_PacketIATStdDev = 1113,
    NECKAR_HeaderBytes = 1120,
    NECKAR_FINFlagCount = 1130,
    NECKAR_SYNFlagCount = 1131,
    NECKAR_RSTFlagCount = 1132,
    NECKAR_PSHFlagCount = 1133,
    NECKAR_ACKFlagCount = 1134,
    NECKAR_URGFlagCount = 1135,
    NECKAR_CWRFlagCount = 1136,
    NECKAR_ECEFlagCount = 1137,
    NECKAR_PayloadPackets = 1140,
    NECKAR_TimeActiveMin = 1150,
    NECKAR_TimeActiveMax = 1151,
    NECKAR_TimeActiveMean = 1152,
    NECKAR_TimeActiveStdDev = 1153,
    NECKAR_TimeIdleMin = 1154,
    NECKAR_TimeIdleMax = 1155,
    NECKAR_TimeIdleMean = 1156,
    NECKAR_TimeIdleStdDev = 1157,
    NECKAR_SrcAddrAnon = 1160,
    NECKAR_DstAddrAnon = 1161,
    NECKAR_SrcAddrPreservedLen = 1162,
    NECKAR_DstAddrPreservedLen = 1163,
    NECKAR_SamplerAddrAnon = 1164,
    NECKAR_SamplerAddrAnonPreservedPrefixLen = 1165,
    NECKAR_ASPath = 1171,
    NECKAR_Med = 1172,
    NECKAR_LocalPref = 1173,
    NECKAR_ValidationStatus = 1174,
    NECKAR_SrcHostName = 1180,
    NECKAR_DstHostName = 1181,
    NECKAR_NextHopHostName = 1182,
    NECKAR_SrcASName = 1183,
    NECKAR_DstASName = 1184,
    NECKAR_NextHopASName = 1185,
    NECKAR_SamplerHostName = 1186,
    NECKAR_SourceIP = 1290,
    NECKAR_DestinationIP = 1291,
    NECKAR_NextHopIP = 1292,
    NECKAR_SamplerIP = 1293,
    NECKAR_SourceMAC = 1294,
    NECKAR_DestinationMAC = 1295,
    NECKAR_PostNatSrcAddr = 3000,
    NECKAR_PostNatDstAddr = 3001,
    NECKAR_PostNatSrcPort = 3002,
    NECKAR_PostNatDstPort = 3003,
    NECKAR_NatEvent = 3004,
    NECKAR_FlowEndReason = 3005,
    NECKAR_IngressVrfName = 3006,
    NECKAR_EgressVrfName = 3007,
    NECKAR_UserName = 3008,
    NECKAR_ApplicationId = 3009,
    NECKAR_OuterVlanId = 3010,
    NECKAR_SrcCidString = 3020,
    NECKAR_DstCidString = 3021,
    NECKAR_SrcCity = 3022,
    NECKAR_DstCity = 3023,
    NECKAR_SrcNetName = 3024,
    NECKAR_DstNetName = 3025,
    NECKAR_SrcNetRole = 3026,
    NECKAR_DstNetRole = 3027,
    NECKAR_SrcNetSite = 3028,
    NECKAR_DstNetSite = 3029,
    NECKAR_SrcNetRegion = 3030,
    NECKAR_DstNetRegion = 3031,
    NECKAR_SrcNetTenant = 3032,
    NECKAR_DstNetTenant = 3033,
    NECKAR_SrcList = 3034,
    NECKAR_DstList = 3035,
    NECKAR_Tenant = 3036
/* The end of what is made. */
};

/* Takes a varint off the front: 1, or -1 if there is none. */
static inline int neckar_take_varint(neckar_bytes *rest, uint64_t *value)
{
    unsigned shift = 0;
    *value = 0;
    while (rest->length > 0 && shift < 64) {
        const unsigned char byte = *rest->at;
        rest->at++;
        rest->length--;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return 1;
        }
        shift += 7;
    }
    return -1;
}

/* Takes `length` bytes off the front: 1, or -1 if there are fewer. */
static inline int neckar_take_bytes(neckar_bytes *rest, uint64_t length, neckar_bytes *bytes)
{
    if (length > rest->length) {
        return -1;
    }
    bytes->at = rest->at;
    bytes->length = (size_t)length;
    rest->at += (size_t)length;
    rest->length -= (size_t)length;
    return 1;
}

/* Takes the next field off the front of a flow: 1; 0 at its end; -1 if what is left is no field. */
static inline int neckar_next_field(neckar_bytes *rest, neckar_field *field)
{
    uint64_t key, length;
    if (rest->length == 0) {
        return 0;
    }
    if (neckar_take_varint(rest, &key) < 0 || key >> 3 == 0 || key >> 3 > UINT32_MAX) {
        return -1;
    }
    field->number = (uint32_t)(key >> 3);
    field->is_bytes = (key & 7) != 0;
    field->value = 0;
    field->bytes.at = rest->at;
    field->bytes.length = 0;
    switch (key & 7) {
    case 0:
        return neckar_take_varint(rest, &field->value);
    case 1:
        return neckar_take_bytes(rest, 8, &field->bytes);
    case 2:
        return neckar_take_varint(rest, &length) < 0 ? -1 : neckar_take_bytes(rest, length, &field->bytes);
    case 5:
        return neckar_take_bytes(rest, 4, &field->bytes);
    default:
        return -1;
    }
}

/* Finds a field of a flow, the last of its number, as protobuf has it: 1; 0 if it is absent, which is 0 or empty;
 * -1 if it is no flow. */
static inline int neckar_find(neckar_bytes flow, uint32_t number, neckar_field *field)
{
    neckar_field next;
    int found = 0, more;
    while ((more = neckar_next_field(&flow, &next)) > 0) {
        if (next.number == number) {
            *field = next;
            found = 1;
        }
    }
    return more < 0 ? -1 : found;
}

/* The number in a field; 0 if there is none. */
static inline uint64_t neckar_number(neckar_bytes flow, uint32_t number)
{
    neckar_field field;
    return neckar_find(flow, number, &field) > 0 && !field.is_bytes ? field.value : 0;
}

/* The address or text in a field; empty if there is none. */
static inline neckar_bytes neckar_text(neckar_bytes flow, uint32_t number)
{
    neckar_field field;
    neckar_bytes none = {NULL, 0};
    return neckar_find(flow, number, &field) > 0 && field.is_bytes ? field.bytes : none;
}

/* Are these a flow: fields, and those that all schemas have in common of their types? */
static inline int neckar_is_flow(neckar_bytes flow)
{
    neckar_field field;
    int more, is_address;
    if (flow.length == 0) {
        return 0;
    }
    while ((more = neckar_next_field(&flow, &field)) > 0) {
        is_address = field.number == 6 || field.number == 7 || field.number == 11 || field.number == 12;
        if (is_address ? !field.is_bytes : (field.is_bytes && field.number <= 42)) {
            return 0;
        }
    }
    return more == 0;
}

/* How flows lie in a payload, by its looks. Lengths are believed only if they add up to the whole and every part is a
 * flow. Whoever knows the topic's framing need not ask. */
static inline neckar_framing neckar_framing_of(neckar_bytes payload)
{
    neckar_bytes flow;
    uint64_t length;
    if (payload.length == 0) {
        return NECKAR_BARE;
    }
    while (payload.length > 0) {
        if (neckar_take_varint(&payload, &length) < 0 || neckar_take_bytes(&payload, length, &flow) < 0
            || !neckar_is_flow(flow)) {
            return NECKAR_BARE;
        }
    }
    return NECKAR_DELIMITED;
}

/* Takes the next flow off the front of a payload: 1; 0 at its end; -1 if what is left is none. */
static inline int neckar_next_flow(neckar_bytes *rest, neckar_framing framing, neckar_bytes *flow)
{
    uint64_t length;
    if (rest->length == 0) {
        return 0;
    }
    length = rest->length;
    if (framing == NECKAR_DELIMITED && neckar_take_varint(rest, &length) < 0) {
        return -1;
    }
    return neckar_take_bytes(rest, length, flow);
}

#endif
