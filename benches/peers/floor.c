/* The floor: the minimum cost of moving a packet. Receives in batches of 64, sets QR and sends
 * everything back, on one port, with several processes that have a socket each. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64

int main(int count, char **arguments) {
    if (count != 3) return 2;
    for (int worker = 1; worker < atoi(arguments[2]); worker++) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            break;
        }
    }
    int s = socket(AF_INET, SOCK_DGRAM, 0), room = 8 << 20, yes = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    setsockopt(s, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(s, (void *)&at, sizeof at)) return perror("bind"), 1;
    static char data[BATCH][2048];
    static struct mmsghdr messages[BATCH];
    static struct iovec vectors[BATCH];
    static struct sockaddr_in from[BATCH];
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            vectors[i] = (struct iovec){data[i], sizeof data[i]};
            memset(&messages[i], 0, sizeof messages[i]);
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
            messages[i].msg_hdr.msg_name = &from[i];
            messages[i].msg_hdr.msg_namelen = sizeof from[i];
        }
        int received = recvmmsg(s, messages, BATCH, MSG_WAITFORONE, 0);
        for (int i = 0; i < received; i++) {
            vectors[i].iov_len = messages[i].msg_len;
            data[i][2] |= 0x84;
        }
        for (int sent = 0, more; sent < received; sent += more) {
            more = sendmmsg(s, messages + sent, received - sent, 0);
            if (more <= 0) break;
        }
    }
}
