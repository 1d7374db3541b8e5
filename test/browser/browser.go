/*
Copyright 2026 The clerk-operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// Package browser drives a real browser in tests: the machine's own Chromium, without a window.
package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

const (
	// patience is how long anything may take on a busy machine.
	patience = time.Minute

	// pollInterval is how often a state is looked at that comes about by itself.
	pollInterval = 30 * time.Millisecond
)

// names are those of Chromium and of what is built from it.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}

// Window is one window of a browser.
type Window struct {
	test *testing.T
	ctx  context.Context // chromedp keeps the browser in it

	mutex    sync.Mutex
	problems []string
	hosts    map[string]bool
}

// Open opens a window. Where no Chromium is installed, the test is skipped.
func Open(t *testing.T) *Window {
	t.Helper()
	path := ""
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium is installed (Debian: apt-get install chromium): the page is NOT looked at in a browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("lang", "en"), chromedp.WSURLReadTimeout(patience))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, closeWindow := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		closeWindow()
		stop()
	})
	w := &Window{test: t, ctx: ctx, hosts: map[string]bool{}}
	if err := chromedp.Do(ctx); err != nil { // starts the browser, which lives as long as this context
		t.Fatalf("start %s: %v", path, err)
	}
	_, logging := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	_, asking := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	if err := errors.Join(logging, asking, chromedp.Listen(ctx, w.hear)); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return w
}

// hear keeps what the page complains of, and whom it asks.
func (w *Window) hear(event any) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	switch event := event.(type) {
	case *log.EventEntryAdded:
		if event.Entry.Level == log.EntryLevelError || event.Entry.Level == log.EntryLevelWarning {
			w.problems = append(w.problems, event.Entry.Text+" "+event.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		w.problems = append(w.problems, fmt.Sprint(event.ExceptionDetails.Text, event.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.ConsoleAPICalledTypeError || event.Type == runtime.ConsoleAPICalledTypeWarning {
			w.problems = append(w.problems, fmt.Sprintf("%s: %s", event.Type, event.Args[0].Value))
		}
	case *network.EventRequestWillBeSent:
		if asked, err := url.Parse(event.Request.URL); err == nil {
			w.hosts[asked.Host] = true
		}
	}
}

// run does one thing in the window.
func run[T any](w *Window, what string, action chromedp.Action[T]) T {
	w.test.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	found, err := chromedp.Run(ctx, action)
	if err != nil {
		w.test.Fatalf("%s: %v", what, err)
	}
	return found
}

// Go leads to an address.
func (w *Window) Go(address string) {
	w.test.Helper()
	run(w, "go to the page", chromedp.Navigate(address))
}

// Reload loads the page again.
func (w *Window) Reload() {
	w.test.Helper()
	run(w, "load the page again", chromedp.Reload())
}

// Text is what an expression of JavaScript comes to that is a text.
func (w *Window) Text(expression string) string {
	w.test.Helper()
	return run(w, expression, chromedp.Evaluate[string](expression))
}

// Texts is what an expression comes to that is a list of texts.
func (w *Window) Texts(expression string) []string {
	w.test.Helper()
	return run(w, expression, chromedp.Evaluate[[]string](expression))
}

// Number is what an expression comes to that is a number.
func (w *Window) Number(expression string) float64 {
	w.test.Helper()
	return run(w, expression, chromedp.Evaluate[float64](expression))
}

// Until waits until an expression is true.
func (w *Window) Until(expression string) {
	w.test.Helper()
	deadline := time.Now().Add(patience)
	for {
		isTrue, err := w.isTrue(expression)
		switch {
		case err != nil && !isElsewhere(err):
			w.test.Fatalf("%s: %v", expression, err)
		case isTrue:
			return
		}
		if time.Now().After(deadline) {
			w.test.Fatalf("it never came about that %s; the page shows:\n%s", expression, w.Text("document.body.innerText"))
		}
		time.Sleep(pollInterval)
	}
}

func (w *Window) isTrue(expression string) (bool, error) {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
}

// isElsewhere tells whether the page that was asked went while it was: a page may load itself again.
func isElsewhere(err error) bool {
	return strings.Contains(err.Error(), "navigated or closed") || strings.Contains(err.Error(), "context was destroyed") ||
		strings.Contains(err.Error(), "Cannot find context")
}

// Press presses keys, one after the other: characters, or those of chromedp's package kb. A character is one event, as a keyboard makes
// it: who prevents it keeps it from being typed.
func (w *Window) Press(keys string) {
	w.test.Helper()
	for _, key := range keys {
		if key < ' ' || key > '~' {
			run(w, "press a key", chromedp.KeyEvent(string(key)))
			continue
		}
		for _, pressed := range []input.DispatchKeyEventParams{
			{Type: input.DispatchKeyEventTypeKeyDown, Key: string(key), Text: string(key), UnmodifiedText: string(key)},
			{Type: input.DispatchKeyEventTypeKeyUp, Key: string(key)},
		} {
			if _, err := chromedp.Call(w.ctx, input.DispatchKeyEvent, pressed); err != nil {
				w.test.Fatalf("press %q: %v", key, err)
			}
		}
	}
}

// Look sets how the page is looked at: its size, and whether its reader likes it dark.
func (w *Window) Look(width, height int64, isDark bool) {
	w.test.Helper()
	scheme := "light"
	if isDark {
		scheme = "dark"
	}
	run(w, "set the screen", chromedp.EmulateViewport(width, height))
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(w.ctx, emulation.SetEmulatedMedia, media); err != nil {
		w.test.Fatalf("set the color scheme: %v", err)
	}
}

// Picture writes what the window shows into docs/images, where CLERK_OPERATOR_SCREENSHOTS_UPDATE is set.
func (w *Window) Picture(name string) {
	w.test.Helper()
	if os.Getenv("CLERK_OPERATOR_SCREENSHOTS_UPDATE") == "" {
		return
	}
	root, err := controlplane.Root()
	if err != nil {
		w.test.Fatal(err)
	}
	picture := run(w, "take a picture", chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(root, "docs", "images", name+".png"), picture, 0o644); err != nil {
		w.test.Fatal(err)
	}
}

// Problems are what the browser complained of so far: errors, warnings, and what the page's policy forbade.
func (w *Window) Problems() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return append([]string(nil), w.problems...)
}

// Hosts are whom the page asked for anything so far.
func (w *Window) Hosts() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	var all []string
	for host := range w.hosts {
		all = append(all, host)
	}
	return all
}
