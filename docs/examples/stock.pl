#!/usr/bin/env perl
# Run it: cpanm Mojolicious && perl stock.pl      (in Debian: apt-get install libmojolicious-perl)
# Keeps the stock: hears every order below shop/orders, takes it off the shelf, and publishes what
# is left on shop/stock/ITEM, where an alarm may listen to one item and a chart to all. By hand:
#   curl -d '{"id":"1","item":"tea","count":2}' http://localhost:3000/pub/shop/orders/1
use Mojo::Base -strict, -signatures;
use Mojo::IOLoop;
use Mojo::Promise;
use Mojo::URL;
use Mojo::UserAgent;

my $broker = Mojo::URL->new($ENV{MERCURY_URL} // 'http://localhost:3000');
my %left   = (tea => 100, coffee => 100);
my ($socket, $attempt, $stopping, $published) = (undef, 0, 0, Mojo::Promise->resolve);

# The broker pings every half minute, and Mojo answers: who hears nothing for longer has lost it.
my $ua = Mojo::UserAgent->new(inactivity_timeout => 60);

sub at ($scheme, $path) {
  $broker->clone->scheme($broker->scheme =~ s/^(http|ws)/$scheme/r)->path($path);
}

sub subscribe {
  $ua->websocket(at('ws', '/sub/shop/orders') => sub ($ua, $tx) {
    my $status = $tx->res->code // 0;
    # a refusal has a sentence; only 429 and 5xx may end differently next time
    return again("refused: $status " . $tx->res->body, $status < 500 && $status != 429)
      if $status && !$tx->is_websocket;
    return again($tx->error->{message}) unless $tx->is_websocket;
    ($socket, $attempt) = ($tx, 0);
    say 'subscribed to shop/orders';
    $tx->on(json => sub ($tx, $order = undef) { sell($order) });    # undef is what is no JSON
    $tx->on(finish => sub ($tx, $code, $reason) {
      # 1008 is the broker's "not you": to come back would not help
      again("closed: $code " . ($reason // ''), $code == 1008);
    });
  });
}

# At random within a growing time, or all who lost one broker would come back at the same moment.
sub again ($why, $never = 0) {
  $socket = undef;
  return stop(0) if $stopping;
  warn $why =~ s/\n?$/\n/r;
  return stop(1) if $never;
  my $most = 2**$attempt++;
  Mojo::IOLoop->timer(rand($most < 30 ? $most : 30) => \&subscribe);
}

sub sell ($order) {
  my ($item, $count) = ref $order eq 'HASH' ? @$order{qw(item count)} : ();
  return warn "not an order of ours\n"
    unless exists $left{$item // ''} && ($count // '') =~ /^\d{1,4}$/;
  my $news = {item => $item, left => $left{$item} -= $count};
  say "$count of $item sold, $news->{left} left";
  # One after the other, so that no POST overtakes another. One that fails is made good for by the
  # next, since it says what is left and not what went.
  my $url = at('http', "/pub/shop/stock/$item");
  $published = $published->then(sub { $ua->post_p($url => json => $news) })
    ->then(sub ($tx) { warn 'refused: ' . $tx->res->body if $tx->res->is_error })
    ->catch(sub ($error) { warn "not published: $error\n" });
}

my $exit = 0;
sub stop ($status) {
  ($stopping, $exit) = (1, $status);
  return $socket->finish(1000) if $socket;
  $published->finally(sub { Mojo::IOLoop->stop });
}

STDOUT->autoflush(1);
$SIG{INT} = $SIG{TERM} = sub { $stopping ? exit 1 : stop(0) };
subscribe();
Mojo::IOLoop->start;
exit $exit;
