package admin

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes is how many scrapes are answered at once.
const maxScrapes = 4

// routes answers GET and HEAD and nothing else.
func routes(o Options) http.Handler {
	mux := http.NewServeMux()
	// Without compression: for a thousand accounts it takes as long as all the
	// rest, and the scraper is next door.
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{
		EnableOpenMetrics: true, DisableCompression: true, MaxRequestsInFlight: maxScrapes, CoalesceGather: true,
	}))
	mux.HandleFunc("GET /-/healthy", check("healthy", o.Healthy))
	mux.HandleFunc("GET /-/ready", check("ready", o.Ready))
	mux.HandleFunc("GET /status.json", func(w http.ResponseWriter, _ *http.Request) {
		text, err := StatusJSON(o.Snapshot())
		if err != nil {
			http.Error(w, "the status cannot be written", http.StatusInternalServerError)
			return
		}
		send(w, http.StatusOK, "application/json", append(text, '\n'))
	})
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		send(w, http.StatusOK, "text/css; charset=utf-8", style)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		var page bytes.Buffer
		if err := writePage(&page, o.Snapshot(), r.URL.Query().Has("still")); err != nil {
			http.Error(w, "the page cannot be written", http.StatusInternalServerError)
			return
		}
		send(w, http.StatusOK, "text/html; charset=utf-8", page.Bytes())
	})
	return careful(mux)
}

// check answers whether something is so, in one line.
func check(what string, broken func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := broken(); err != nil {
			send(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte("not "+what+": "+short(err.Error())+"\n"))
			return
		}
		send(w, http.StatusOK, "text/plain; charset=utf-8", []byte(what+"\n"))
	}
}

func send(w http.ResponseWriter, code int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write(body) // who asked has gone
}

// careful has browsers load nothing from elsewhere, run nothing, and keep
// nothing.
func careful(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
