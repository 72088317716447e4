package mailtest

import (
	"net"
	"time"
)

// linePacket is how many bytes travel together on a Line: about an Ethernet
// frame's, times three.
const linePacket = 4 << 10

// Line is a slow line: so many bytes per second to the client, and a delay each
// way. It works in a bubble of testing/synctest, where all of it takes no time.
// All connections of a Link have one of their own.
type Line struct {
	Rate  int64         // bytes per second to the client
	Delay time.Duration // one way; a round trip takes twice as long
}

// packet is some bytes on their way, or an end.
type packet struct {
	data []byte
	err  error
	at   time.Time // when it arrives
}

// slow returns the client's end of a slow line whose other end is far. Its
// goroutines, which run starts, end when both ends are closed.
func (l *Line) slow(far net.Conn, run func(func())) (client net.Conn) {
	client, near := Pipe()
	down, up := make(chan packet, l.window()), make(chan packet, l.window())
	run(func() { l.send(far, down, l.Rate) })
	run(func() { l.arrive(near.(*pipeEnd), far, down) })
	run(func() { l.send(near, up, 1<<40) })
	run(func() { l.arrive(far.(*pipeEnd), near, up) })
	return client
}

// window is how many packets are on their way at once, at most.
func (l *Line) window() int {
	return int(float64(l.Rate)*l.Delay.Seconds())/linePacket + 1
}

// send reads what one end says and gives it to the line, at its rate.
func (l *Line) send(from net.Conn, line chan<- packet, rate int64) {
	defer close(line)
	for {
		buf := make([]byte, linePacket)
		n, err := from.Read(buf)
		time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
		line <- packet{buf[:n], err, time.Now().Add(l.Delay)}
		if err != nil {
			return
		}
	}
}

// arrive gives what the line carries to its other end, and ends it as the first
// end was ended. Where the other end has gone, from is told of it.
func (l *Line) arrive(to *pipeEnd, from net.Conn, line <-chan packet) {
	for p := range line {
		time.Sleep(time.Until(p.at))
		if _, err := to.Write(p.data); err != nil {
			_ = from.Close() // what else it says is for nobody
		}
		if p.err != nil {
			to.out.end(p.err)
		}
	}
}
