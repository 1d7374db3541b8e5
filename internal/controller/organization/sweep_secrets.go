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

package organization

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
)

// deletionTimeout bounds the deletion of a page of Secrets.
const deletionTimeout = 10 * time.Second

// metadataAlone asks the API server to answer with no more of an object than its metadata.
const metadataAlone = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

// tokenSecrets deletes Secrets that hold tokens of ServiceAccounts. For that the operator has the one verb deletecollection, so that it can
// read no Secret, and is sent no more than the metadata of those that it deleted. A guard bounds it to such Secrets, where a class bounds
// derived access.
type tokenSecrets struct{ client rest.Interface }

func newTokenSecrets(manager ctrl.Manager) (tokenSecrets, error) {
	config := rest.CopyConfig(manager.GetConfig())
	config.APIPath, config.GroupVersion, config.ContentType = "/api", &corev1.SchemeGroupVersion, runtime.ContentTypeJSON
	config.NegotiatedSerializer = serializer.NewCodecFactory(manager.GetScheme()).WithoutConversion()
	client, err := rest.RESTClientForConfigAndClient(config, manager.GetHTTPClient())
	if err != nil {
		return tokenSecrets{}, fmt.Errorf("make a client that deletes Secrets: %w", err)
	}
	return tokenSecrets{client}, nil
}

// deletePage deletes some of a namespace's Secrets with tokens, and says where it goes on; "" at the end. One that a finalizer keeps gives
// nobody access any longer: the API server takes no token of a Secret that is being deleted.
func (t tokenSecrets) deletePage(ctx context.Context, namespace, page string) (deleted int, next string, err error) {
	result := t.client.Delete().Namespace(namespace).Resource("secrets").
		Param("fieldSelector", "type="+string(corev1.SecretTypeServiceAccountToken)).
		Param("limit", strconv.Itoa(sweepPage)).Param("continue", page).
		SetHeader("Accept", metadataAlone).Timeout(deletionTimeout).Do(ctx)
	if err := result.Error(); err != nil { // Raw has no error that says what the API server meant
		return 0, "", err
	}
	answer, err := result.Raw()
	if err != nil {
		return 0, "", err
	}
	var list metav1.PartialObjectMetadataList
	if err := json.Unmarshal(answer, &list); err != nil {
		return 0, "", fmt.Errorf("read which Secrets were deleted: %w", err)
	}
	for at := range list.Items {
		if list.Items[at].DeletionTimestamp == nil { // it was not being deleted before
			deleted++
		}
	}
	return deleted, list.Continue, nil
}

// isNoRight tells whether RBAC gives the operator no right, as where there are no guards.
func isNoRight(err error) bool {
	return apierrors.IsForbidden(err) &&
		(strings.Contains(err.Error(), "cannot deletecollection resource") || strings.Contains(err.Error(), "cannot list resource"))
}
