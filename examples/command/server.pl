# A small HTTP server from Perl's core modules: tells which namespace it runs in.
use strict;
use warnings;
use IO::Socket::INET;

my $port = $ENV{PORT} // 8000;
my $namespace = $ENV{CYGNI_NAMESPACE} // 'local';
my $listener = IO::Socket::INET->new(LocalPort => $port, Listen => 128, ReuseAddr => 1)
    or die "cannot listen on port $port: $@\n";
local $| = 1;
local $SIG{PIPE} = 'IGNORE';
local $SIG{CHLD} = 'IGNORE';
print "listening on port $port\n";

while (my $client = $listener->accept) {
    # One process per connection: nobody waits for a slow client.
    my $child = fork;
    if (!defined $child || $child) { close $client; next }
    alarm 30;
    my $request = <$client> // '';
    while (my $line = <$client>) { last if $line =~ /^\r?\n$/ }
    my ($path) = $request =~ m{^(?:GET|HEAD) (\S+) HTTP/1\.};
    my ($status, $body) =
          !defined $path       ? ('400 Bad Request', "only GET and HEAD\n")
        : $path eq '/healthz'  ? ('200 OK', "ok\n")
        : $path eq '/'         ? ('200 OK', "Hello from Perl in $namespace\n")
        :                        ('404 Not Found', "not found\n");
    my $length = length $body;
    print $client "HTTP/1.1 $status\r\ncontent-type: text/plain\r\ncontent-length: $length\r\nconnection: close\r\n\r\n";
    print $client $body unless $request =~ /^HEAD /;
    exit 0;
}
