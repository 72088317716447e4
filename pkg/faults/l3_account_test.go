package faults

import (
	"crypto/tls"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/demo"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// l3Large is how many bytes an account may have received before another one
// takes its place: the disk, and the memory of the servers and of the oracle,
// stay bounded however long the soak runs.
const l3Large = 6 << 20

// l3Account is one account: its mailboxes on a host, its port, and its oracle.
type l3Account struct {
	name string
	host *l3Host
	port int

	listener net.Listener
	serving  sync.WaitGroup
	serve    func(net.Conn)
	seeds    *rand.Rand  // for the connections; the listener's goroutine has it
	calm     atomic.Bool // the last passes: no faults, no news

	// onFetch, if there is one, is called when the worker asks for bodies.
	onFetch atomic.Pointer[func()]

	mu     sync.Mutex // guards what is below
	oracle *mailtest.Oracle
	rng    *rand.Rand // for the mail
	boxes  []*l3Box
	imap   *mailtest.IMAPServer // one of the two
	pop3   *mailtest.POP3Server
	number int   // of the last message
	bytes  int64 // of all messages
}

// l3Box is a mailbox of an account. POP3 has one.
type l3Box struct {
	name     mail.MailboxName
	validity uint32
	next     mail.UID
	messages []l3Message
	imap     *mailtest.IMAPBox
}

// l3Message is a message that the server has.
type l3Message struct {
	ref  mail.Ref
	body string
}

// l3NewAccount opens an empty account on a host.
func l3NewAccount(name string, host *l3Host, seed uint64) (*l3Account, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &l3Account{
		name: name, host: host, listener: listener, port: listener.Addr().(*net.TCPAddr).Port,
		seeds: rand.New(rand.NewPCG(seed, 1)), rng: rand.New(rand.NewPCG(seed, 2)),
		oracle: mailtest.NewOracle(name),
	}
	if host.protocol == config.POP3 {
		a.boxes = []*l3Box{{name: mail.Inbox, next: 1}}
		a.pop3 = host.pop3(a.fetched)
		a.serve = a.pop3.Serve
	} else {
		a.imap = host.imap(a.fetched)
		a.serve = a.imap.Serve
		for _, name := range []string{"INBOX", "Work/2024", "Lists"} {
			box := mailtest.NewIMAPBox(name)
			a.imap.Boxes = append(a.imap.Boxes, box)
			a.boxes = append(a.boxes, &l3Box{name: mail.MailboxName(name), validity: box.UIDValidity, next: 1, imap: box})
		}
	}
	a.serving.Go(a.accept) // close waits
	return a, nil
}

// accept serves every connection until the listener is closed.
func (a *l3Account) accept() {
	for {
		conn, err := a.listener.Accept()
		if err != nil {
			return
		}
		rng := rand.New(rand.NewPCG(a.seeds.Uint64(), 3))
		calm := a.calm.Load() || a.host.calm.Load()
		var over net.Conn = l3Network(conn.(*net.TCPConn), rng, a.host.tally, calm)
		if a.host.security == config.TLS {
			over = tls.Server(over, a.host.tls())
		}
		a.serving.Go(func() { a.serve(over) }) // close waits; it ends with its client
	}
}

func (a *l3Account) fetched() {
	if fn := a.onFetch.Load(); fn != nil {
		(*fn)()
	}
}

// close ends the account's server. Its clients must have gone.
func (a *l3Account) close() {
	_ = a.listener.Close() // it ends accept
	a.serving.Wait()
}

// full reports whether the account has had its share.
func (a *l3Account) full() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bytes >= l3Large
}

// receive lets n messages arrive in a mailbox.
func (a *l3Account) receive(n int) (bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	box := a.boxes[a.rng.IntN(len(a.boxes))]
	for range n {
		a.number++
		body := demo.Compose(a.rng, a.number, time.Now(), l3Size(a.rng))
		ref := box.ref(box.next)
		box.next++
		box.messages = append(box.messages, l3Message{ref, string(body)})
		a.oracle.Add(body, ref)
		bytes += int64(len(body))
	}
	a.bytes += bytes
	a.publish(box)
	return bytes
}

// remove lets a few messages vanish from the server, as another program or a
// person removes them.
func (a *l3Account) remove(n int) (removed int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	box := a.boxes[a.rng.IntN(len(a.boxes))]
	for ; removed < n && len(box.messages) > 0; removed++ {
		i := a.rng.IntN(len(box.messages))
		a.oracle.Gone(box.messages[i].ref)
		box.messages = append(box.messages[:i:i], box.messages[i+1:]...)
	}
	a.publish(box)
	return removed
}

// renumber gives every message of a mailbox a new identity: another
// UIDVALIDITY, or other unique-ids.
func (a *l3Account) renumber() {
	a.mu.Lock()
	defer a.mu.Unlock()
	box := a.boxes[a.rng.IntN(len(a.boxes))]
	if a.pop3 == nil {
		box.validity++
		box.next = mail.UID(1 + a.rng.IntN(50))
	}
	for i := range box.messages {
		to := box.ref(box.next)
		box.next++
		a.oracle.Renamed(box.messages[i].ref, to)
		box.messages[i].ref = to
	}
	a.publish(box)
}

// ref names the message with a number, which POP3 has as part of a unique-id.
func (b *l3Box) ref(n mail.UID) mail.Ref {
	if b.imap == nil {
		return mail.Ref{Mailbox: b.name, UIDL: mail.UIDL(fmt.Sprintf("u%08d", n))}
	}
	return mail.Ref{Mailbox: b.name, Validity: mail.UIDValidity(b.validity), UID: n}
}

// publish has the server show a mailbox as it is now. The oracle knew first.
func (a *l3Account) publish(box *l3Box) {
	if a.pop3 != nil {
		messages := make([]mailtest.POP3Message, len(box.messages))
		for i, m := range box.messages {
			messages[i] = mailtest.POP3Message{UIDL: string(m.ref.UIDL), Body: m.body}
		}
		a.pop3.SetMessages(messages...)
		return
	}
	messages := make([]mailtest.IMAPMessage, len(box.messages))
	for i, m := range box.messages {
		messages[i] = mailtest.IMAPMessage{UID: m.ref.UID, Body: m.body}
	}
	a.imap.Change(func() {
		box.imap.UIDValidity, box.imap.UIDNext = box.validity, uint32(box.next)
		box.imap.Messages = messages
	})
}

// l3Size returns the size of a message: log-normal with a median of 2 KB and a
// mean of 6.5 KB, which makes more messages of a byte than real mail, and one
// in four hundred with up to 3 MB.
func l3Size(rng *rand.Rand) int {
	if rng.IntN(400) == 0 {
		return 500_000 + rng.IntN(2_500_000)
	}
	return int(min(max(2_000*math.Exp(1.535*rng.NormFloat64()), 400), 1<<20))
}
