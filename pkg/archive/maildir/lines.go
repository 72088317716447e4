package maildir

import (
	"bytes"
	"io"
)

// lines follows the line ends of a message that comes in pieces.
type lines struct {
	// lone is set once a CR or an LF was seen that stands alone.
	lone bool

	// cr is set when the last piece ended in CR, whose LF may follow.
	cr bool

	// ended is set when the last byte was the LF of a CRLF.
	ended bool
}

// see takes the next piece and reports whether every line so far ended
// properly. What follows a lone CR or LF is not looked at.
func (l *lines) see(p []byte) bool {
	if len(p) == 0 || l.lone {
		return !l.lone
	}
	if l.cr && p[0] != '\n' {
		l.lone = true
		return false
	}
	for start := 0; start < len(p); {
		i := bytes.IndexByte(p[start:], '\n')
		end := len(p) // where the line's text ends, without CR
		switch {
		case i > 0:
			end = start + i - 1
		case i == 0 && (start > 0 || !l.cr):
			l.lone = true
			return false
		case i == 0:
			end = 0
		case p[len(p)-1] == '\r':
			end--
		}
		if i > 0 && p[end] != '\r' || bytes.IndexByte(p[start:end], '\r') >= 0 {
			l.lone = true
			return false
		}
		if i < 0 {
			break
		}
		start += i + 1
	}
	last := p[len(p)-1]
	l.cr, l.ended = last == '\r', last == '\n'
	return true
}

// proper reports whether the message, which is over, can be kept with LF.
func (l *lines) proper() bool { return !l.lone && l.ended }

// dropCR removes every CR from p, in place. In a message whose CRs all stand
// in CRLF that turns each CRLF into LF, wherever the pieces were cut.
func dropCR(p []byte) []byte {
	i := bytes.IndexByte(p, '\r')
	if i < 0 {
		return p
	}
	w := i
	for rest := p[i+1:]; ; {
		i := bytes.IndexByte(rest, '\r')
		if i < 0 {
			return p[:w+copy(p[w:], rest)]
		}
		w += copy(p[w:], rest[:i])
		rest = rest[i+1:]
	}
}

// loneLFs counts the LFs in p that follow no CR; cr tells whether the byte
// before p is one, and then whether p ends in one. Dovecot counts one byte more
// for each in a message's virtual size.
func loneLFs(p []byte, cr *bool) (n int64) {
	for rest := p; ; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		if i > 0 && rest[i-1] != '\r' || i == 0 && !*cr {
			n++
		}
		*cr = false
		rest = rest[i+1:]
	}
	if len(p) > 0 {
		*cr = p[len(p)-1] == '\r'
	}
	return n
}

// wireReader turns each LF of a file back into CRLF.
type wireReader struct {
	file io.Reader
	buf  [16 << 10]byte
	data []byte // what of buf is not handed out yet
	lf   bool   // the CR of the LF at data[0] was handed out
}

// Read implements io.Reader.
func (r *wireReader) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.data) == 0 {
		m, err := r.file.Read(r.buf[:])
		if m == 0 {
			return 0, err
		}
		// An error that came with the bytes comes again without them.
		r.data = r.buf[:m]
	}
	for n < len(p) && len(r.data) > 0 {
		if r.data[0] == '\n' {
			p[n] = '\n'
			if !r.lf {
				p[n] = '\r'
			} else {
				r.data = r.data[1:]
			}
			r.lf = !r.lf
			n++
			continue
		}
		line := r.data
		if i := bytes.IndexByte(line, '\n'); i > 0 {
			line = line[:i]
		}
		m := copy(p[n:], line)
		n += m
		r.data = r.data[m:]
	}
	return n, nil
}
