/* Acts on sockets, for acts.c. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NETWORK_ACT(name) static bool name(const char *argument, size_t size)

static bool makes_socket(int domain, int type, int protocol)
{
    int file = socket(domain, type, protocol);
    if (file >= 0) (void)close(file);
    return file >= 0;
}

NETWORK_ACT(socket_tcp) { return UNUSED, makes_socket(AF_INET, SOCK_STREAM, 0); }
NETWORK_ACT(socket_udp) { return UNUSED, makes_socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }
NETWORK_ACT(socket_tcp6) { return UNUSED, makes_socket(AF_INET6, SOCK_STREAM, 0); }
NETWORK_ACT(socket_unix) { return UNUSED, makes_socket(AF_UNIX, SOCK_STREAM, 0); }
NETWORK_ACT(socket_netlink) { return UNUSED, makes_socket(AF_NETLINK, SOCK_RAW, 0); }
NETWORK_ACT(socket_packet) { return UNUSED, makes_socket(AF_PACKET, SOCK_RAW, 0); }
NETWORK_ACT(socket_raw) { return UNUSED, makes_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
NETWORK_ACT(socket_any) /* vsock, alg, bluetooth, … */
{
    UNUSED;
    for (int domain = 0; domain < 46; domain++)
        for (int type = 1; type < 6; type++)
            if (domain != AF_INET && domain != AF_INET6 && makes_socket(domain, type, 0)) return true;
    return false;
}

static socklen_t unix_address(struct sockaddr_un *address, const char *name)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    (void)snprintf(address->sun_path, sizeof address->sun_path, "%s", name);
    if (name[0] == '@') address->sun_path[0] = '\0'; /* an abstract one */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
}

/* argument: a path, or @name. */
NETWORK_ACT(connect_unix)
{
    (void)size;
    struct sockaddr_un address;
    socklen_t length = unix_address(&address, argument);
    int file = socket(AF_UNIX, SOCK_STREAM, 0);
    bool done = file >= 0 && connect(file, (struct sockaddr *)&address, length) == 0;
    if (file >= 0) (void)close(file);
    return done;
}

/* A pair needs no socket(), and a datagram may name any receiver: a path, or @name. */
NETWORK_ACT(send_by_pair)
{
    (void)size;
    struct sockaddr_un address;
    int pair[2], kinds[] = {SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, SOCK_SEQPACKET};
    socklen_t length = unix_address(&address, argument);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (socketpair(AF_UNIX, kinds[i], 0, pair) != 0) continue;
        (void)connect(pair[0], (struct sockaddr *)&address, length);
        bool sent = sendto(pair[0], "act", 3, MSG_DONTWAIT, (struct sockaddr *)&address, length) == 3;
        char text[8];
        bool here = recv(pair[1], text, sizeof text, MSG_DONTWAIT) == 3; /* it went to the other end only */
        (void)close(pair[0]);
        (void)close(pair[1]);
        if (sent && !here) return true;
    }
    return false;
}

NETWORK_ACT(connect_tcp) /* argument: a port of this machine */
{
    (void)size;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argument))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int file = socket(AF_INET, SOCK_STREAM, 0);
    bool done = file >= 0 && connect(file, (struct sockaddr *)&address, sizeof address) == 0;
    if (file >= 0) (void)close(file);
    return done;
}

NETWORK_ACT(send_udp) /* argument: a port of this machine. Landlock knows TCP only */
{
    (void)size;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argument))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int file = socket(AF_INET, SOCK_DGRAM, 0);
    bool done = file >= 0 && sendto(file, "act", 3, 0, (struct sockaddr *)&address, sizeof address) == 3;
    if (file >= 0) (void)close(file);
    return done;
}

NETWORK_ACT(listen_tcp)
{
    UNUSED;
    struct sockaddr_in address = {.sin_family = AF_INET};
    int file = socket(AF_INET, SOCK_STREAM, 0);
    bool done = file >= 0 && bind(file, (struct sockaddr *)&address, sizeof address) == 0 && listen(file, 1) == 0;
    if (file >= 0) (void)close(file);
    return done;
}

static const struct act NETWORK_ACTS[] = {
    {"socket_tcp", socket_tcp}, {"socket_udp", socket_udp}, {"socket_tcp6", socket_tcp6}, {"socket_unix", socket_unix},
    {"socket_netlink", socket_netlink}, {"socket_packet", socket_packet}, {"socket_raw", socket_raw},
    {"socket_any", socket_any}, {"connect_unix", connect_unix}, {"send_by_pair", send_by_pair},
    {"connect_tcp", connect_tcp}, {"send_udp", send_udp}, {"listen_tcp", listen_tcp}, {NULL, NULL},
};
