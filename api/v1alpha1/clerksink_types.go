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

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClerkSinkSpec says which events are handed on, what of them, and where to.
//
// +kubebuilder:validation:XValidation:rule="[has(self.http), has(self.nats)].filter(set, set).size() == 1",message="exactly one target is required: http or nats"
type ClerkSinkSpec struct {
	// instanceRef names the ClerkInstance whose environment the events are of.
	// +required
	InstanceRef InstanceReference `json:"instanceRef,omitzero"`

	// webhook says how deliveries to /webhooks/<instance>/sinks/<name of this ClerkSink> are verified. Make an endpoint of its own for
	// this sink in Clerk's dashboard: its secret is not that of the ClerkInstance.
	// +required
	Webhook ClerkInstanceWebhook `json:"webhook,omitzero"`

	// filter says which events are handed on. What it leaves out is acknowledged, and goes nowhere. Without it, every event is.
	// +optional
	Filter SinkFilter `json:"filter,omitzero"`

	// data says what of an event leaves the cluster.
	// +optional
	Data SinkData `json:"data,omitzero"`

	// http hands events on as CloudEvents over HTTP.
	// +optional
	HTTP *SinkHTTP `json:"http,omitempty"`

	// nats hands events on to a JetStream stream.
	// +optional
	NATS *SinkNATS `json:"nats,omitempty"`

	// delivery bounds how long the target may take, and says what becomes of an event that it refuses.
	// +optional
	Delivery SinkDelivery `json:"delivery,omitzero"`
}

// InstanceReference names a ClerkInstance.
type InstanceReference struct {
	// name of the ClerkInstance; those have at most 63 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
}

// SinkFilter says which events are handed on. Both parts must let an event through.
//
// +kubebuilder:validation:MinProperties=1
type SinkFilter struct {
	// types are event types, such as user.created, and entities with all their types, such as organizationMembership.*. Without it, every
	// type is let through, also one that this version does not know.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_-]+\.(\*|[A-Za-z0-9_.-]+)$`
	Types []string `json:"types,omitempty"`

	// expression is CEL that is true or false, over `event`: id, type, time, subject, organization, instance, and data as mode Safe lets
	// it through with what data.include adds. An expression that fails for an event, as it does where a key is missing, drops nothing:
	// the delivery is answered with 503, and the condition Filtering says so. Use has(event.data.x) for what is not always there.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Expression string `json:"expression,omitempty"`
}

// SinkDataMode says what of an event leaves the cluster.
//
// +kubebuilder:validation:Enum=Safe;Envelope
type SinkDataMode string

const (
	// SinkDataSafe lets a list of fields through for each type.
	SinkDataSafe SinkDataMode = "Safe"

	// SinkDataEnvelope lets no data through, only what happened, to what, and when.
	SinkDataEnvelope SinkDataMode = "Envelope"
)

// SinkData says what of an event leaves the cluster.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="self.mode == 'Safe' || !has(self.include)",message="include adds to mode Safe: with Envelope no data leaves"
type SinkData struct {
	// mode is Safe (the default), which lets the fields through that docs/sinks.md lists for each type and no others, or Envelope, which
	// lets no data through. Of a type that this version does not know, no data is let through either way.
	// +optional
	// +kubebuilder:default=Safe
	Mode SinkDataMode `json:"mode,omitempty"`

	// include are paths within an event's data that are let through on purpose, such as private_metadata.plan. A list is gone through
	// element by element. Of email.created and sms.created nothing can be let through: they hold one-time codes. Nor can an invitation's
	// url, which lets in whoever has it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,7}$`
	Include []string `json:"include,omitempty"`
}

// SinkContentMode says how a CloudEvent is written.
//
// +kubebuilder:validation:Enum=Binary;Structured
type SinkContentMode string

const (
	// SinkBinary writes the attributes as headers, and the data as the body.
	SinkBinary SinkContentMode = "Binary"

	// SinkStructured writes attributes and data as one JSON object.
	SinkStructured SinkContentMode = "Structured"
)

// SinkHTTP hands events on as CloudEvents over HTTP. A 2xx is success; 408, 425, 429, 5xx, a redirect and no answer are tried again;
// any other answer is a refusal.
//
// +kubebuilder:validation:XValidation:rule="!has(self.auth) || self.url.startsWith('https://')",message="a token is sent over https:// alone"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || self.url.startsWith('https://')",message="tls needs a url that begins with https://"
type SinkHTTP struct {
	// url is where each event is posted. Redirects are not followed, and no proxy is used. Addresses of the operator's own machine and of
	// a cloud's metadata service are refused, whatever name leads there.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != '' && !self.contains('@') && !self.contains('#')",message="must be http:// or https:// with a host, and without a user, a password or a fragment"
	URL string `json:"url,omitempty"`

	// contentMode is Binary (the default), attributes as headers, or Structured, everything in one JSON object.
	// +optional
	// +kubebuilder:default=Binary
	ContentMode SinkContentMode `json:"contentMode,omitempty"`

	// auth says how the operator shows who it is.
	// +optional
	Auth *SinkHTTPAuth `json:"auth,omitempty"`

	// tls says whom to trust, and what certificate to show.
	// +optional
	TLS *SinkTLS `json:"tls,omitempty"`
}

// SinkHTTPAuth says how the operator shows who it is: by exactly one of these.
//
// +kubebuilder:validation:XValidation:rule="[has(self.bearerTokenSecretRef), has(self.serviceAccountToken)].filter(set, set).size() == 1",message="exactly one is required: bearerTokenSecretRef or serviceAccountToken"
type SinkHTTPAuth struct {
	// bearerTokenSecretRef names the key of a Secret, in the operator's namespace, whose value is sent as the bearer token.
	// +optional
	BearerTokenSecretRef *SecretKeyReference `json:"bearerTokenSecretRef,omitempty"`

	// serviceAccountToken sends a token of the operator's own ServiceAccount, made for one audience. The chart gives the right to make
	// them where sinks.serviceAccountTokens is set.
	// +optional
	ServiceAccountToken *SinkServiceAccountToken `json:"serviceAccountToken,omitempty"`
}

// SinkServiceAccountToken is a token of the operator's own ServiceAccount.
type SinkServiceAccountToken struct {
	// audience is for whom the token is made. Nobody else may accept it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Audience string `json:"audience,omitempty"`
}

// SinkTLS says whom to trust, and what certificate to show.
//
// +kubebuilder:validation:MinProperties=1
type SinkTLS struct {
	// caSecretRef names the key of a Secret, in the operator's namespace, that holds the certificates (PEM) to trust instead of the
	// world's authorities.
	// +optional
	CASecretRef *SecretKeyReference `json:"caSecretRef,omitempty"`

	// certificateSecretRef names a Secret of the type kubernetes.io/tls, in the operator's namespace, with the certificate to show.
	// +optional
	CertificateSecretRef *SecretReference `json:"certificateSecretRef,omitempty"`

	// serverName is the name to find in the target's certificate, where it is not that of the url.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName,omitempty"`
}

// SinkNATS hands events on to a JetStream stream, each acknowledged by it. The subject is
// <subjectPrefix>.<instance>.<organization, or _>.<entity>.<action>.
//
// +kubebuilder:validation:XValidation:rule="!has(self.auth) || !has(self.auth.userSecretRef) || self.servers.all(s, s.startsWith('tls://'))",message="a password is sent over tls:// alone"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || self.servers.all(s, s.startsWith('tls://'))",message="tls needs servers that begin with tls://"
type SinkNATS struct {
	// servers are tried in turn. Servers that they tell of are not used. Addresses are refused as for http.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:Pattern=`^(nats|tls)://[A-Za-z0-9._:\[\]-]+$`
	Servers []string `json:"servers,omitempty"`

	// subjectPrefix is what every subject begins with.
	// +optional
	// +kubebuilder:default=clerk
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`
	SubjectPrefix string `json:"subjectPrefix,omitempty"`

	// stream that has to take the events. Without it, whichever stream takes the subject.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	Stream string `json:"stream,omitempty"`

	// contentMode is Binary (the default), attributes as headers, or Structured, everything in one JSON object.
	// +optional
	// +kubebuilder:default=Binary
	ContentMode SinkContentMode `json:"contentMode,omitempty"`

	// auth says how the operator shows who it is.
	// +optional
	Auth *SinkNATSAuth `json:"auth,omitempty"`

	// tls says whom to trust, and what certificate to show.
	// +optional
	TLS *SinkTLS `json:"tls,omitempty"`
}

// SinkNATSAuth says how the operator shows who it is: by exactly one of these.
//
// +kubebuilder:validation:XValidation:rule="[has(self.credentialsSecretRef), has(self.userSecretRef)].filter(set, set).size() == 1",message="exactly one is required: credentialsSecretRef or userSecretRef"
type SinkNATSAuth struct {
	// credentialsSecretRef names the key of a Secret, in the operator's namespace, that holds a .creds file.
	// +optional
	CredentialsSecretRef *SecretKeyReference `json:"credentialsSecretRef,omitempty"`

	// userSecretRef names a Secret of the type kubernetes.io/basic-auth, in the operator's namespace.
	// +optional
	UserSecretRef *SecretReference `json:"userSecretRef,omitempty"`
}

// SinkRejection says what becomes of an event that the target refuses.
//
// +kubebuilder:validation:Enum=Retry;Abort
type SinkRejection string

const (
	// SinkRetry leaves it to Clerk's sender: it is tried until 27.6 hours are over, then failed, and can be replayed.
	SinkRetry SinkRejection = "Retry"

	// SinkAbort tells Clerk's sender not to try that event again.
	SinkAbort SinkRejection = "Abort"
)

// SinkDelivery bounds how long the target may take, and says what becomes of an event that it refuses.
//
// +kubebuilder:validation:MinProperties=1
type SinkDelivery struct {
	// timeout is how long the target may take: 8s by default, 10s at most, so that Clerk has its answer before its own 15s are over.
	// +optional
	// +kubebuilder:default="8s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('10s')",message="must be 100ms to 10s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// maxInFlight is how many events each replica hands on at a time: 16 by default. More are answered with 503 after a moment.
	// +optional
	// +kubebuilder:default=16
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	MaxInFlight *int32 `json:"maxInFlight,omitempty"`

	// onRejected is Retry (the default), or Abort, which tells Clerk's sender not to try an event again that the target refuses for what it
	// is (400, 409, 413, 415 or 422). A refusal of the operator itself, such as 401 or 404, aborts nothing.
	// +optional
	// +kubebuilder:default=Retry
	OnRejected SinkRejection `json:"onRejected,omitempty"`
}

// ClerkSinkStatus says whether events are handed on, and when one last was.
//
// +kubebuilder:validation:MinProperties=1
type ClerkSinkStatus struct {
	// conditions say how it stands: Ready, whether events are handed on; Stalled, that somebody must act first; Filtering, whether the
	// filter could judge every event; Durable, whether the stream keeps what it takes.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that the conditions speak of.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// path is where Clerk has to deliver to.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Path string `json:"path,omitempty"`

	// lastAccepted is the newest event that was answered with success: the target has it, or the filter left it out. It is written at most
	// every few seconds, so it may lag behind.
	// +optional
	LastAccepted LastEvent `json:"lastAccepted,omitzero"`

	// lastFailure is the newest verified event that could not be handed on.
	// +optional
	LastFailure SinkFailure `json:"lastFailure,omitzero"`

	// lastFilterFailure is the newest event that the filter's expression failed for.
	// +optional
	LastFilterFailure SinkFilterFailure `json:"lastFilterFailure,omitzero"`

	// lastRefusal is the newest delivery that was refused before anything was handed on. It is written at most every minute.
	// +optional
	LastRefusal LastRefusal `json:"lastRefusal,omitzero"`
}

// SinkFailure is an event that could not be handed on.
type SinkFailure struct {
	// reason is the operator's word for why, as in the metrics: timeout, connection, http_503 and so on. It holds nothing of what the
	// target answered.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`

	// failedAt is when, by the operator's clock.
	// +required
	FailedAt metav1.Time `json:"failedAt,omitzero"`
}

// SinkFilterFailure is an event that the filter's expression failed for.
type SinkFilterFailure struct {
	// type of the event; "other" for one that this version does not know.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Type string `json:"type,omitempty"`

	// message is why the expression failed, without any value of the event.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Message string `json:"message,omitempty"`

	// failedAt is when, by the operator's clock.
	// +required
	FailedAt metav1.Time `json:"failedAt,omitzero"`

	// generation is the metadata.generation of the spec that the expression is of.
	// +required
	// +kubebuilder:validation:Minimum=1
	Generation int64 `json:"generation,omitempty"`
}

// ClerkSink hands verified events on to where they are needed: a service or a queue. Deliveries come in at
// /webhooks/<instance>/sinks/<name>, and each is answered with success only after the target has taken the event. So Clerk's sender keeps
// the queue, and nothing is stored here.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=csink,categories=clerk
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Instance",type=string,JSONPath=`.spec.instanceRef.name`
// +kubebuilder:printcolumn:name="Last Accepted",type=date,JSONPath=`.status.lastAccepted.receivedAt`
// +kubebuilder:printcolumn:name="Last Failure",type=date,JSONPath=`.status.lastFailure.failedAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Path",type=string,priority=1,JSONPath=`.status.path`
// +kubebuilder:printcolumn:name="Failed For",type=string,priority=1,JSONPath=`.status.lastFailure.reason`
// +kubebuilder:printcolumn:name="Durable",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Durable")].status`
// +kubebuilder:printcolumn:name="Refused For",type=string,priority=1,JSONPath=`.status.lastRefusal.reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClerkSink struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata. The name is the last part of the webhook's path.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says which events are handed on, and where to.
	// +required
	Spec ClerkSinkSpec `json:"spec,omitzero"`

	// status says whether they are.
	// +optional
	Status ClerkSinkStatus `json:"status,omitzero"`
}

// ClerkSinkList is a list of ClerkSinks.
//
// +kubebuilder:object:root=true
type ClerkSinkList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClerkSink `json:"items"`
}
