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

package kubectl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// podInterval is how often it is looked which pods there are.
const podInterval = 2 * time.Second

// toReadLogs is the right to read logs.
const toReadLogs = "get on pods/log"

// logsOptions are the flags of logs.
type logsOptions struct {
	follow, previous, timestamps bool

	since time.Duration
	tail  int64

	operatorNamespace string
}

func (p *plugin) logsCommand() *cobra.Command {
	var options logsOptions
	command := &cobra.Command{
		Use:   "logs",
		Short: "Print the operator's log, of all its replicas",
		Long: "Print the operator's log, of all its replicas, ready or not, in the order of time. With --follow it goes on until Ctrl-C, with\n" +
			"what comes as it comes, also from pods and containers that start meanwhile. Where there are several pods, or there can be, each\n" +
			"line begins with its pod. It takes the rights to list services and pods in the operator's namespace, and to get pods/log there.\n\n" +
			"Exit code: 0 it was printed, 1 it could not be read, or not all of it.",
		Example: "  kubectl clerk logs --since 10m\n" +
			"  kubectl clerk logs -f --tail 20\n" +
			"  kubectl clerk logs --previous",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return p.logs(command.Context(), &options) },
	}
	flags := command.Flags()
	flags.BoolVarP(&options.follow, "follow", "f", false, "Go on with what comes, until Ctrl-C.")
	flags.BoolVar(&options.previous, "previous", false, "Print what the containers logged that ran before the last restart.")
	flags.BoolVar(&options.timestamps, "timestamps", false, "Begin each line with the time at which the node saw it.")
	flags.DurationVar(&options.since, "since", 0, "Print what is not older than this, such as 10m; by default all.")
	flags.Int64Var(&options.tail, "tail", -1, "Print this many of the last lines of each replica; by default all.")
	flags.StringVar(&options.operatorNamespace, "operator-namespace", "", "The operator's namespace; where its Service is, by default.")
	return command
}

func (o *logsOptions) check(output string) error {
	switch {
	case output != "":
		return errors.New("a log is printed as it was written: leave -o out")
	case o.follow && o.previous:
		return errors.New("what ran before writes nothing more: leave --follow or --previous out")
	case o.since < 0:
		return errors.New("--since is how long ago, such as 10m")
	case o.tail < -1:
		return errors.New("--tail is a number of lines")
	}
	return nil
}

func (p *plugin) logs(ctx context.Context, options *logsOptions) error {
	if err := errors.Join(options.check(p.output), p.checkOutput()); err != nil {
		return err
	}
	cluster, err := p.client()
	if err != nil {
		return err
	}
	operator, err := p.findOperator(ctx, cluster, search{namespace: options.operatorNamespace})
	if err != nil {
		return err
	}
	core, err := corev1client.NewForConfig(operator.config)
	if err != nil {
		return err
	}
	pods, err := operator.pods(ctx, toReadLogs)
	if err != nil {
		return err
	}
	l := &logs{
		plugin: p, options: options, operator: operator, core: core, read: map[string]position{}, told: map[string]string{},
		colored: p.colored(p.Streams.Out), prefixed: options.follow || len(pods) > 1,
	}
	err = l.history(ctx, pods)
	if err == nil && options.follow {
		err = l.follow(ctx)
	}
	if ctx.Err() != nil {
		err = nil // Ctrl-C is how it ends
	}
	return err
}

// logs are the logs of the operator's pods.
type logs struct {
	*plugin
	options  *logsOptions
	operator *operatorAt
	core     corev1client.CoreV1Interface

	colored, prefixed bool

	// read is how far each pod's log has been printed, and told what was last said of a log that cannot be read now.
	read map[string]position
	told map[string]string
}

// history prints what there is, of all pods in the order of time.
func (l *logs) history(ctx context.Context, pods []corev1.Pod) error {
	if l.options.previous {
		pods = slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return !hasRestarted(&pod) })
		if len(pods) == 0 {
			return errors.New("no replica of the operator has restarted, so none has a previous log")
		}
	}
	if len(pods) == 0 && !l.options.follow {
		return fmt.Errorf("the Service %s/%s has no pods: kubectl clerk doctor says why", l.operator.namespace, l.operator.service)
	}
	var sources []*logLines
	var problems []error
	var streams []io.Closer
	defer func() {
		for _, stream := range streams {
			_ = stream.Close()
		}
	}()
	for i := range pods {
		pod := pods[i].Name
		l.read[pod] = position{}
		stream, err := l.open(ctx, &pods[i], l.first())
		switch {
		case err == nil:
			streams, sources = append(streams, stream), append(sources, newLogLines(pod, stream))
		case apierrors.IsForbidden(err):
			return l.explain(pod, err)
		case l.options.follow:
			l.tell(pod, l.explain(pod, err)) // it may start yet
		default:
			problems = append(problems, l.explain(pod, err))
		}
	}
	out := bufio.NewWriter(l.Streams.Out)
	err := merge(sources, func(line *logLines) error { return l.print(out, line) })
	for _, source := range sources {
		l.read[source.pod] = source.read
		if source.err != nil && !errors.Is(source.err, io.EOF) && !l.options.follow {
			problems = append(problems, l.explain(source.pod, source.err))
		}
	}
	return errors.Join(append(problems, err, out.Flush())...)
}

// first are the options by which a log is read that was not read before.
func (l *logs) first() *corev1.PodLogOptions {
	options := &corev1.PodLogOptions{Previous: l.options.previous}
	if l.options.since > 0 {
		options.SinceSeconds = new(int64(math.Ceil(l.options.since.Seconds())))
	}
	if l.options.tail >= 0 {
		options.TailLines = new(l.options.tail)
	}
	return options
}

// next are those by which a log is followed, from where it was read to.
func (l *logs) next(pod string) *corev1.PodLogOptions {
	options := &corev1.PodLogOptions{}
	read, known := l.read[pod]
	switch {
	case !known: // it came meanwhile: all of it is new
	case read.at.IsZero():
		options = l.first()
	default:
		options.SinceTime = new(metav1.NewTime(read.at))
	}
	options.Follow = true
	return options
}

func (l *logs) open(ctx context.Context, pod *corev1.Pod, options *corev1.PodLogOptions) (io.ReadCloser, error) {
	options.Timestamps = true
	if container := receiverOf(pod); container != nil {
		options.Container = container.Name
	}
	return l.core.Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
}

func hasRestarted(pod *corev1.Pod) bool {
	container := receiverOf(pod)
	return container != nil && slices.ContainsFunc(pod.Status.ContainerStatuses, func(status corev1.ContainerStatus) bool {
		return status.Name == container.Name && status.RestartCount > 0
	})
}

// print prints a line. What a terminal would obey is left out.
func (l *logs) print(out io.Writer, line *logLines) error {
	before := ""
	if l.prefixed {
		before = line.pod + "  "
	}
	if l.options.timestamps && !line.at.IsZero() {
		before += line.at.UTC().Format(time.RFC3339Nano) + "  "
	}
	painter := &page{colored: l.colored}
	_, err := fmt.Fprintln(out, painter.in(dim, before)+cleanLine(line.text))
	return err
}

// tell says why the log of a pod, or of all, cannot be read now, once.
func (l *logs) tell(pod string, err error) {
	if text := err.Error(); l.told[pod] != text {
		l.told[pod] = text
		fmt.Fprintln(l.Streams.ErrOut, clean(text))
	}
}

func (l *logs) explain(pod string, err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("you may not read the log of the pod %s/%s: ask for the verb %s in that namespace",
			l.operator.namespace, pod, toReadLogs)
	}
	return fmt.Errorf("the log of the pod %s/%s cannot be read: %w", l.operator.namespace, pod, err)
}
